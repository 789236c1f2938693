// The plot of the stores' benchmark against the number of nodes: time to a first snapshot, and the memory of its reader.
import { type Plot, type PlotLine, plotSvg } from '../plot.ts';
import type { ScalePoint } from './scale-measuring.ts';
import type { ScaleStoreName } from './scale-store.ts';

/** In the order of the legend. */
export const storeNames: Readonly<Record<ScaleStoreName, string>> = {
  directory: 'directory',
  etcd: 'etcd',
  kubernetes: 'Kubernetes (Nodes of 10 kB)',
};

const mega = 2 ** 20;

/** Throws RangeError when there are no points. `note`: when and where. */
export function scalePlot(points: readonly ScalePoint[], { note }: { readonly note: string }): string {
  const linesOf = (what: ScalePoint['what'], scale: number): readonly PlotLine[] =>
    (Object.keys(storeNames) as ScaleStoreName[])
      .map((store, style) => ({
        name: storeNames[store],
        style,
        points: points
          .filter((point) => point.what === what && point.store === store)
          .map(({ nodes, value }) => ({ x: nodes, y: value / scale })),
      }))
      .filter((line) => line.points.length > 0);
  const plot: Plot = {
    title: 'What a cluster costs one node, by where its leases are',
    description:
      'Two panels over the number of nodes, both axes logarithmic: the time from the start of a reader to its first snapshot of all leases, and the resident memory of its process.',
    note,
    xLabel: 'nodes',
    xText: (x) => x.toLocaleString('en'),
    // One axis for both panels: 100 ms beside 100 MB.
    yText: (y) => `${y.toLocaleString('en')}`,
    panels: [
      { title: 'first snapshot of all leases, ms', lines: linesOf('time', 1) },
      { title: "memory of the reader's process, MB", lines: linesOf('memory', mega) },
    ],
  };
  return plotSvg(plot);
}
