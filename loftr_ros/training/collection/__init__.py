"""Free textures for the training: images of Debian packages, chosen by what they show, with a manifest of licenses."""
