"""What a step is made of: checks, clipping, decay, slots, averages, saving; `order` puts them in their order."""
