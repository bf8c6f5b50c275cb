"""Makes screenshots smaller: 256 colours are enough for a page."""

import sys

from PIL import Image

for name in sys.argv[1:]:
    with Image.open(name) as image:
        few = image.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(name, optimize=True)
