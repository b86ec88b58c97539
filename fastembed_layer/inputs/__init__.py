"""Ids as callers write them, turned into what kernels take."""
