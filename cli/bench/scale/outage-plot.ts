// The plot of an outage: attempts to connect in each second, one panel a store, Netloom as it was measured and its peer as computed.
import { timePlotSvg } from '../time-plot.ts';
import type { OutageSeries } from './scale-measuring.ts';
import { storeNames } from './scale-plot.ts';
import type { ScaleStoreName } from './scale-store.ts';

/** Seconds in which nothing happens any more are not shown. */
const tailSeconds = 3;

/** Throws RangeError when there are no series. */
export function outagePlot(outages: readonly OutageSeries[], { note }: { readonly note: string }): string {
  const stores = [...new Set(outages.map(({ store }) => store))];
  const names: readonly string[] = [...new Set(outages.map(({ name }) => name))];
  return timePlotSvg({
    title: 'A store is away for half a minute: attempts to connect, a second',
    description:
      'One panel a store over the seconds since it went away: how many attempts to connect 200 nodes make in each second, of Netloom as measured, and of its peer as computed from its back-off.',
    note,
    xLabel: 'seconds since it went away',
    panels: stores.map((store) => ({
      title: titleOf(store),
      lines: outages
        .filter((series) => series.store === store)
        .map((series) => ({
          name: series.name,
          style: names.indexOf(series.name),
          isDashed: series.isComputed,
          points: withoutTail(series.attempts).map((y, second) => ({ x: second - series.start, y })),
        })),
    })),
  });
}

function titleOf(store: ScaleStoreName): string {
  return storeNames[store].replace(/ \(.*/, '');
}

function withoutTail(attempts: readonly number[]): readonly number[] {
  const last = attempts.findLastIndex((count) => count > 0);
  return attempts.slice(0, last + 1 + tailSeconds);
}
