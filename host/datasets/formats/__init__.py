"""One loader per data set format, each `load(folder) -> Dataset`."""
