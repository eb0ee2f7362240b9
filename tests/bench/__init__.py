"""What a request costs, as a ratio to a floor measured in the same minutes. `make bench`."""
