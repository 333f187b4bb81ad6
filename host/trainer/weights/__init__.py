"""ImageNet weights that come with MaixForge, as data, and the script that made them."""
