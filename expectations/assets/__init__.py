"""What the pages need of style, to stand inside them."""
