"""`irmahub bench`: measures the product against figures that do not depend on the machine."""
