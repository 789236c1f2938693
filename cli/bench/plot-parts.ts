// What all plots as SVG share: the page around them, colours for light and dark, the legend. It knows no axes.

export const legendRow = 22;

const lightLines = ['#0969da', '#bc4c00', '#8250df', '#1a7f37', '#cf222e'] as const;
const darkLines = ['#58a6ff', '#f0883e', '#bc8cff', '#3fb950', '#ff7b72'] as const;

/** Rules for all that plots are drawn with. */
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

export interface PlotPageOptions {
  readonly title: string;
  /** For those who cannot see it. */
  readonly description: string;
  readonly note: string;
  readonly width: number;
  readonly height: number;
  /** Where texts begin. */
  readonly left: number;
  readonly body: readonly string[];
}

export function plotPage({ title, description, note, width, height, left, body }: PlotPageOptions): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="t d" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13">
  <title id="t">${escaped(title)}</title>
  <desc id="d">${escaped(description)}</desc>
  <style>
${style}
  </style>
  <rect class="page" width="${width}" height="${height}" rx="8"/>
  <text class="head" x="${left}" y="34">${escaped(title)}</text>
${body.join('\n')}
  <text class="dim" x="${left}" y="${height - 16}">${escaped(note)}</text>
</svg>
`;
}

/** Forms as well as colours: not everybody tells these apart. */
export function markSvg(style: number, { x, y }: { readonly x: number; readonly y: number }): string {
  const path = [
    'a5 5 0 1 1 0 10a5 5 0 1 1 0-10',
    'm-5 0h10v10h-10z',
    'l6 10h-12z',
    'l6 6l-6 6l-6-6z',
    'm-6 0h12l-6 10z',
  ][style];
  return `<path class="m${style}" d="M${x} ${round(y - (style === 3 ? 6 : 5))}${path}"/>`;
}

export interface LegendName {
  readonly name: string;
  readonly style: number;
  /** Given: it has no mark, and is dashed or not. */
  readonly isDashed?: boolean;
}

/** In two columns. */
export function legendSvg(
  names: readonly LegendName[],
  { top, left, right }: { readonly top: number; readonly left: number; readonly right: number },
): string {
  const column = (right - left) / 2;
  return names
    .map(({ name, style, isDashed }, i) => {
      const x = left + (i % 2) * column;
      const y = top + Math.floor(i / 2) * legendRow;
      const dashes = isDashed === true ? ' stroke-dasharray="5 3"' : '';
      const mark = isDashed === undefined ? markSvg(style, { x: x + 17, y }) : '';
      return `  <path class="line s${style}"${dashes} d="M${x} ${y}h34"/>${mark}<text x="${x + 44}" y="${y + 5}">${escaped(name)}</text>`;
    })
    .join('\n');
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
