// A small writer of plots as SVG: lines over two logarithmic axes, one panel beside the other, and one legend for all. It knows nothing of
// what is plotted. Colours follow the reader's light or dark page.
import { escaped, legendRow, legendSvg, markSvg, plotPage, round } from './plot-parts.ts';

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
  const legend = legendSvg(names, { top: legendTop, left: margin.left, right: width - margin.right });
  return plotPage({ ...plot, width, height, left: margin.left, body: [...body, legend] });
}

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

function namesOf(panels: readonly PlotPanel[]): readonly Pick<PlotLine, 'name' | 'style'>[] {
  const byName = new Map(
    panels.flatMap(({ lines }) => lines).map(({ name, style }) => [name, { name, style }]),
  );
  return [...byName.values()].sort((a, b) => a.style - b.style);
}
