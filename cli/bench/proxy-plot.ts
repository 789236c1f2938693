// The plot of the proxy's benchmark: what a full load and one change cost, against the number of services.
import { type Plot, type PlotLine, plotSvg } from './plot.ts';
import type { ProxyPoint, ProxySeries } from './proxy-measuring.ts';

/** In the order of the legend. */
const names: Readonly<Record<ProxySeries, string>> = {
  ours: 'Netloom, nftables mode',
  nft: 'nft -f of the same table',
  'kube-proxy': "nft -f of kube-proxy's layout",
  'ours-iptables': 'Netloom, iptables mode (iptables-nft)',
  'kube-proxy-iptables': "iptables-nft-restore of kube-proxy's text",
};

/** Throws RangeError when there are no points. `note`: when and where. */
export function proxyPlot(points: readonly ProxyPoint[], { note }: { readonly note: string }): string {
  // The others have more endpoints, which is another size.
  const usual = points.filter(({ amount }) => amount.endpoints === 3);
  const linesOf = (what: ProxyPoint['what']): readonly PlotLine[] =>
    (Object.keys(names) as ProxySeries[])
      .map((series, style) => ({
        name: names[series],
        style,
        points: usual
          .filter((point) => point.what === what && point.series === series)
          .map(({ amount, milliseconds }) => ({ x: amount.services, y: milliseconds })),
      }))
      .filter((line) => line.points.length > 0);
  const plot: Plot = {
    title: 'What services cost to program',
    description:
      'Two panels over the number of services with three endpoints each, both axes logarithmic: the time of a full load, and the time of one changed endpoint, of Netloom and of its peers.',
    note,
    xLabel: 'services, 3 endpoints each',
    xText: (x) => x.toLocaleString('en'),
    yText: timeText,
    panels: [
      { title: 'full load', lines: linesOf('load') },
      { title: 'one endpoint changed', lines: linesOf('change') },
    ],
  };
  return plotSvg(plot);
}

/** "10 µs", "0.1 ms" is "100 µs", "10 s". */
function timeText(milliseconds: number): string {
  if (milliseconds < 1) return `${Math.round(milliseconds * 1000)} µs`;
  return milliseconds < 1000 ? `${milliseconds} ms` : `${milliseconds / 1000} s`;
}
