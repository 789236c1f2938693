// A small writer of plots over time as SVG: counts a second as steps, one panel beside the other, each with its own scale, zero included.
// It knows nothing of what is plotted.
import { escaped, legendRow, legendSvg, plotPage, round } from './plot-parts.ts';

export interface TimeLine {
  readonly name: string;
  /** 0 to 4: its colour. */
  readonly style: number;
  /** Not measured. */
  readonly isDashed: boolean;
  /** x: the second that begins there; y at least 0. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface TimePanel {
  readonly title: string;
  readonly lines: readonly TimeLine[];
}

export interface TimePlot {
  readonly title: string;
  /** For those who cannot see it. */
  readonly description: string;
  /** Below the legend. */
  readonly note: string;
  readonly xLabel: string;
  readonly panels: readonly TimePanel[];
}

const panelWidth = 400;
const panelHeight = 260;
const gap = 70;
const margin = { left: 78, top: 78, right: 24 };
/** Seconds between two ticks. */
const tickSeconds = 10;

/** Throws RangeError when there is nothing to plot. */
export function timePlotSvg(plot: TimePlot): string {
  const { panels } = plot;
  if (panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points)).length === 0)
    throw new RangeError('There is nothing to plot');
  const width = margin.left + panels.length * panelWidth + (panels.length - 1) * gap + margin.right;
  const names = [
    ...new Map(
      panels
        .flatMap(({ lines }) => lines)
        .map(({ name, style, isDashed }) => [name, { name, style, isDashed }]),
    ).values(),
  ].sort((a, b) => a.style - b.style);
  const legendTop = margin.top + panelHeight + 66;
  const height = legendTop + Math.ceil(names.length / 2) * legendRow + 34;
  const body = panels.map((panel, i) => panelSvg(panel, plot, margin.left + i * (panelWidth + gap)));
  const legend = legendSvg(names, { top: legendTop, left: margin.left, right: width - margin.right });
  return plotPage({ ...plot, width, height, left: margin.left, body: [...body, legend] });
}

function panelSvg({ title, lines }: TimePanel, { xLabel }: TimePlot, left: number): string {
  const points = lines.flatMap((line) => line.points);
  const first = Math.min(0, ...points.map(({ x }) => x));
  const end = Math.max(1, ...points.map(({ x }) => x + 1));
  const most = Math.max(10, ...points.map(({ y }) => y));
  const decades = Math.ceil(Math.log10(most));
  const bottom = margin.top + panelHeight;
  const atX = (x: number) => round(left + ((x - first) / (end - first)) * panelWidth);
  // Logarithmic, but with a place for zero: half of the least decade.
  const rank = (y: number) => (y < 1 ? y / 2 : 0.5 + Math.log10(y));
  const atY = (y: number) => round(bottom - (rank(y) / (decades + 0.5)) * panelHeight);
  const out: string[] = [`<text class="name" x="${left}" y="${margin.top - 14}">${escaped(title)}</text>`];
  for (const tick of [0, ...Array.from({ length: decades + 1 }, (_, power) => 10 ** power)]) {
    out.push(
      `<path class="grid" d="M${left} ${atY(tick)}H${left + panelWidth}"/>`,
      `<text class="dim" x="${left - 8}" y="${atY(tick) + 4}" text-anchor="end">${tick.toLocaleString('en')}</text>`,
    );
  }
  for (let tick = 0; tick <= end; tick += tickSeconds) {
    out.push(
      `<path class="grid" d="M${atX(tick)} ${margin.top}V${bottom}"/>`,
      `<text class="dim" x="${atX(tick)}" y="${bottom + 18}" text-anchor="middle">${tick}</text>`,
    );
  }
  out.push(
    `<path class="axis" fill="none" d="M${left} ${margin.top}V${bottom}H${left + panelWidth}"/>`,
    `<text class="dim" x="${left + panelWidth / 2}" y="${bottom + 38}" text-anchor="middle">${escaped(xLabel)}</text>`,
  );
  // The measured ones above the computed ones.
  for (const line of lines.toSorted((a, b) => Number(b.isDashed) - Number(a.isDashed))) {
    const steps = line.points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${atX(x)} ${atY(y)}H${atX(x + 1)}`);
    const dashes = line.isDashed ? ' stroke-dasharray="5 3"' : '';
    out.push(`<path class="line s${line.style}"${dashes} d="${steps.join('')}"/>`);
  }
  return out.map((text) => `  ${text}`).join('\n');
}
