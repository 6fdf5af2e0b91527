"""Where is it of interest? Boxes and the algorithms that find them."""
