(() => {
  "use strict";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 40rem)");
  const swaps = __SWAPS__;
  // No tool bar: dragging zooms, a double click goes back, and nothing offers to upload anything.
  const config = { responsive: true, displayModeBar: false, scrollZoom: false };

  function described(figure) {
    let text = figure.querySelector("script").textContent;
    if (dark.matches) for (const [light, deep] of swaps) text = text.replaceAll(light, deep);
    const found = JSON.parse(text);
    if (narrow.matches) {
      // A thumb that scrolls the page must not drag an axis.
      found.layout.dragmode = false;
      found.layout.font = { ...found.layout.font, size: 11 };
      found.layout.margin = { ...found.layout.margin, l: 8, r: 8 };
    }
    return found;
  }

  function draw() {
    for (const figure of document.querySelectorAll("figure")) {
      const found = described(figure);
      Plotly.react(figure.querySelector(".plot"), found.data, found.layout, config);
    }
  }

  draw();
  dark.addEventListener("change", draw);
  narrow.addEventListener("change", draw);
})();
