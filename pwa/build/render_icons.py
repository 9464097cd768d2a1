"""Draws the icons: a bell over a shield of sound waves, as SVG, and its PNG sizes with a Chromium that is at hand."""

import argparse
import pathlib

from PIL import Image
from playwright.sync_api import sync_playwright

OUT = pathlib.Path(__file__).parent.parent / "public" / "icons"
CARRIED = pathlib.Path(__file__).parent.parent / "src" / "icons"
"""What the service worker carries in itself."""
RED, PALE = "#9f1d20", "#fff4ea"


def shield(colour: str, width: float, scale: float) -> str:
    """One wave: the outline of a shield, scaled about the bell's heart."""
    path = (
        "M256 92 C312 128 360 140 408 140 C412 262 372 362 256 428 C140 362 100 262 104 140 C152 140 200 128 256 92 Z"
    )
    move = f"translate(256 256) scale({scale}) translate(-256 -256)"
    return f'<path d="{path}" transform="{move}" fill="none" stroke="{colour}" stroke-width="{width / scale:.1f}" stroke-linejoin="round"/>'


BELL = (
    '<path d="M256 152 a18 18 0 0 1 18 18 v8 c40 9 62 44 62 86 v34 l24 34 a8 8 0 0 1 -7 13 H159 a8 8 0 0 1 -7 -13'
    ' l24 -34 v-34 c0 -42 22 -77 62 -86 v-8 a18 18 0 0 1 18 -18 Z" fill="{ink}"/>'
    '<path d="M222 360 a34 30 0 0 0 68 0 Z" fill="{ink}"/>'
)


def icon(*, corner: int, scale: float = 1.0) -> str:
    """The icon on its ground; `corner` rounds it, `scale` keeps the drawing inside a mask's safe circle."""
    waves = shield(PALE, 14, 1.14).replace("stroke=", 'stroke-opacity="0.45" stroke=') + shield(PALE, 14, 0.95).replace(
        "stroke=", 'stroke-opacity="0.8" stroke='
    )
    drawing = waves + f'<g transform="translate(256 256) scale(0.86) translate(-256 -262)">{BELL.format(ink=PALE)}</g>'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512">'
        f'<rect width="512" height="512" rx="{corner}" fill="{RED}"/>'
        f'<g transform="translate(256 256) scale({scale}) translate(-256 -256)">{drawing}</g></svg>'
    )


def badge() -> str:
    """One colour on nothing, for Android's status bar."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512">'
        f'<g transform="translate(256 256) scale(1.75) translate(-256 -272)">{BELL.format(ink="#fff")}</g></svg>'
    )


def report_shortcut() -> str:
    """A pencil stroke's plus sign on the ground: something to add."""
    cross = f'<path d="M256 136 V376 M136 256 H376" stroke="{PALE}" stroke-width="52" stroke-linecap="round"/>'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512">'
        f'<circle cx="256" cy="256" r="256" fill="{RED}"/>{cross}</svg>'
    )


def main() -> None:
    """Write the SVG files and render the PNG files beside them."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--chromium", default="/usr/bin/chromium")
    chromium = options.parse_args().chromium
    for folder in (OUT, CARRIED):
        folder.mkdir(parents=True, exist_ok=True)
    plain, masked = icon(corner=112), icon(corner=0, scale=0.9)
    (OUT / "icon.svg").write_text(plain + "\n")
    wanted = {
        OUT / "icon-192.png": (plain, 192),
        OUT / "icon-512.png": (plain, 512),
        OUT / "maskable-192.png": (masked, 192),
        OUT / "maskable-512.png": (masked, 512),
        OUT / "apple-touch-icon.png": (icon(corner=0, scale=0.98), 180),
        OUT / "shortcut-report-96.png": (report_shortcut(), 96),
        OUT / "shortcut-alerts-96.png": (icon(corner=256, scale=0.8), 96),
        CARRIED / "icon-192.png": (plain, 192),
        CARRIED / "badge-96.png": (badge(), 96),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for path, (svg, size) in wanted.items():
            page = browser.new_page(viewport={"width": size, "height": size})
            page.set_content(f"<style>*{{margin:0}}svg{{display:block;width:{size}px;height:{size}px}}</style>{svg}")
            page.screenshot(path=path, omit_background=True)
            page.close()
        browser.close()
    for path in CARRIED.iterdir():
        with Image.open(path) as picture:
            picture.quantize(32, method=Image.Quantize.FASTOCTREE).save(path, optimize=True)


if __name__ == "__main__":
    main()
