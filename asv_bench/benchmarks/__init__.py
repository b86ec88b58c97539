"""Benchmarks for asv, one file for each thing that is measured."""
