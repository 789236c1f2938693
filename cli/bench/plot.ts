// A small writer of plots as SVG: lines over two logarithmic axes, one panel beside the other, and one legend for all. It knows nothing of
// what is plotted. Colours follow the reader's light or dark page.
export interface PlotLine {
  readonly name: string;
  /** 0 to 4: its colour and its mark. */
  readonly style: number;
  /** Both above 0. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface PlotPanel {
  readonly title: string;
  readonly lines: readonly PlotLine[];
}

export interface Plot {
  readonly title: string;
  /** For those who cannot see it. */
  readonly description: string;
  /** Below the legend. */
  readonly note: string;
  readonly xLabel: string;
  readonly panels: readonly PlotPanel[];
  /** "1,000"; "10 ms". */
  readonly xText: (x: number) => string;
  readonly yText: (y: number) => string;
}

interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const panelWidth = 400;
const panelHeight = 300;
const gap = 40;
const margin = { left: 78, top: 78, right: 24 };
const legendRow = 22;

/** Throws RangeError when there is nothing to plot. */
export function plotSvg(plot: Plot): string {
  const { panels } = plot;
  const points = panels.flatMap(({ lines }) => lines.flatMap((line) => line.points));
  if (points.length === 0) throw new RangeError('There is nothing to plot');
  const x = scaleOf(points.map((point) => point.x));
  const y = decadesOf(points.map((point) => point.y));
  const names = namesOf(panels);
  const width = margin.left + panels.length * panelWidth + (panels.length - 1) * gap + margin.right;
  const legendTop = margin.top + panelHeight + 66;
  const height = legendTop + Math.ceil(names.length / 2) * legendRow + 34;
  const body = panels.map((panel, i) => {
    const left = margin.left + i * (panelWidth + gap);
    const area: Area = { left, top: margin.top, width: panelWidth, height: panelHeight };
    return panelSvg(panel, { plot, area, x, y, isFirst: i === 0 });
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="t d" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13">
  <title id="t">${escaped(plot.title)}</title>
  <desc id="d">${escaped(plot.description)}</desc>
  <style>
${style}
  </style>
  <rect class="page" width="${width}" height="${height}" rx="8"/>
  <text class="head" x="${margin.left}" y="34">${escaped(plot.title)}</text>
${body.join('\n')}
${legendSvg(names, { top: legendTop, width })}
  <text class="dim" x="${margin.left}" y="${height - 16}">${escaped(plot.note)}</text>
</svg>
`;
}

const lightLines = ['#0969da', '#bc4c00', '#8250df', '#1a7f37', '#cf222e'] as const;
const darkLines = ['#58a6ff', '#f0883e', '#bc8cff', '#3fb950', '#ff7b72'] as const;

const style = [
  '.page { fill: #ffffff } text { fill: #1f2328 } .dim { fill: #57606a; font-size: 12px } .head { font-size: 16px; font-weight: 600 }',
  '.name { font-weight: 600 } .grid { stroke: #d8dee4 } .axis { stroke: #57606a } .line { fill: none; stroke-width: 2.5; stroke-linejoin: round }',
  ...lightLines.map((colour, i) => `.s${i} { stroke: ${colour} } .m${i} { fill: ${colour} }`),
  '@media (prefers-color-scheme: dark) {',
  '  .page { fill: #0d1117 } text { fill: #e6edf3 } .dim { fill: #9198a1 } .grid { stroke: #2b3138 } .axis { stroke: #9198a1 }',
  ...darkLines.map((colour, i) => `  .s${i} { stroke: ${colour} } .m${i} { fill: ${colour} }`),
  '}',
]
  .map((line) => `    ${line}`)
  .join('\n');

/** From the least to the largest of all values, with the values themselves as ticks. */
interface Scale {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
}

/** Values that are measured at: each is a tick, with a little room on both sides. */
function scaleOf(values: readonly number[]): Scale {
  const ticks = [...new Set(values)].sort((a, b) => a - b);
  return { low: Math.min(...ticks) / 1.25, high: Math.max(...ticks) * 1.25, ticks };
}

/** Whole powers of ten around all values. */
function decadesOf(values: readonly number[]): Scale {
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values))));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  return { low: 10 ** first, high: 10 ** last, ticks };
}

/** How far along the scale, 0 to 1. */
function along(value: number, { low, high }: Scale): number {
  return Math.log(value / low) / Math.log(high / low);
}

interface PanelOptions {
  readonly plot: Plot;
  readonly area: Area;
  readonly x: Scale;
  readonly y: Scale;
  readonly isFirst: boolean;
}

function panelSvg(panel: PlotPanel, { plot, area, x, y, isFirst }: PanelOptions): string {
  const { left, top, width, height } = area;
  const bottom = top + height;
  const atX = (value: number) => round(left + along(value, x) * width);
  const atY = (value: number) => round(bottom - along(value, y) * height);
  const out: string[] = [`<text class="name" x="${left}" y="${top - 14}">${escaped(panel.title)}</text>`];
  for (const tick of y.ticks) {
    out.push(`<path class="grid" d="M${left} ${atY(tick)}H${left + width}"/>`);
    if (isFirst)
      out.push(
        `<text class="dim" x="${left - 8}" y="${atY(tick) + 4}" text-anchor="end">${escaped(plot.yText(tick))}</text>`,
      );
  }
  for (const tick of x.ticks) {
    out.push(
      `<path class="grid" d="M${atX(tick)} ${top}V${bottom}"/>`,
      `<text class="dim" x="${atX(tick)}" y="${bottom + 18}" text-anchor="middle">${escaped(plot.xText(tick))}</text>`,
    );
  }
  out.push(
    `<path class="axis" fill="none" d="M${left} ${top}V${bottom}H${left + width}"/>`,
    `<text class="dim" x="${left + width / 2}" y="${bottom + 38}" text-anchor="middle">${escaped(plot.xLabel)}</text>`,
  );
  for (const line of panel.lines) {
    const points = line.points
      .toSorted((a, b) => a.x - b.x)
      .map((point) => ({ x: atX(point.x), y: atY(point.y) }));
    out.push(
      `<polyline class="line s${line.style}" points="${points.map((one) => `${one.x},${one.y}`).join(' ')}"/>`,
    );
    for (const one of points) out.push(markSvg(line.style, one));
  }
  return out.map((text) => `  ${text}`).join('\n');
}

/** Forms as well as colours: not everybody tells these apart. */
function markSvg(style: number, { x, y }: { readonly x: number; readonly y: number }): string {
  const path = [
    'a5 5 0 1 1 0 10a5 5 0 1 1 0-10',
    'm-5 0h10v10h-10z',
    'l6 10h-12z',
    'l6 6l-6 6l-6-6z',
    'm-6 0h12l-6 10z',
  ][style];
  return `<path class="m${style}" d="M${x} ${round(y - (style === 3 ? 6 : 5))}${path}"/>`;
}

function namesOf(panels: readonly PlotPanel[]): readonly Pick<PlotLine, 'name' | 'style'>[] {
  const byName = new Map(
    panels.flatMap(({ lines }) => lines).map(({ name, style }) => [name, { name, style }]),
  );
  return [...byName.values()].sort((a, b) => a.style - b.style);
}

/** In two columns. */
function legendSvg(
  names: readonly Pick<PlotLine, 'name' | 'style'>[],
  { top, width }: { readonly top: number; readonly width: number },
): string {
  const column = (width - margin.left - margin.right) / 2;
  return names
    .map(({ name, style }, i) => {
      const x = margin.left + (i % 2) * column;
      const y = top + Math.floor(i / 2) * legendRow;
      return `  <path class="line s${style}" d="M${x} ${y}h34"/>${markSvg(style, { x: x + 17, y })}<text x="${x + 44}" y="${y + 5}">${escaped(name)}</text>`;
    })
    .join('\n');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
