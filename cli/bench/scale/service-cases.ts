// The cases of one store's services: a full load until the proxy's tracker has every port, one endpoint that moves, and many of them at a
// rate. What the kernel then takes is measured by `netloom bench proxy`.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Amount, amountText } from '../proxy-services.ts';
import { trafficBetween } from './relay.ts';
import { monotonic, type ScaleNews } from './scale-job.ts';
import { addRow, addSamples, inMebibytes, type ScaleMeasuring } from './scale-measuring.ts';
import { ScaleReader } from './scale-reader.ts';
import type { ScaleStore } from './scale-store.ts';

/** Endpoints that move in a second where they do it all the time: as many as a rolling update of a large cluster moves. */
const moveRate = 100;
const kilo = 1000;

type ServiceNews = Extract<ScaleNews, { readonly news: 'services' }>;

export async function serviceCases(
  measuring: ScaleMeasuring,
  { store, amount }: { readonly store: ScaleStore; readonly amount: Amount },
): Promise<void> {
  const { signal, times } = measuring;
  const name = `${store.name}, ${amountText(amount)} services`;
  measuring.progress(`${name}: written`);
  await store.putServices(amount);
  measuring.progress(`${name}: full load`);
  const before = store.relay?.traffic;
  let batches = 0;
  const first = Promise.withResolvers<ServiceNews>();
  let seen = 0;
  await using reader = await ScaleReader.start({ kind: 'services', source: store.services }, (news) => {
    if (news.news !== 'services') return;
    batches++;
    seen += news.services;
    if (seen >= amount.services) first.resolve(news);
  });
  reader.next(() => false).catch(first.reject);
  const loaded = await first.promise;
  addRow(measuring, `${name}: full load, to the batch`, { value: loaded.at - reader.beganAt, unit: 'ms' });
  addRow(measuring, `${name}: full load, to the proxy's ports`, {
    value: loaded.trackedAt - reader.beganAt,
    unit: 'ms',
  });
  if (before !== undefined && store.relay !== undefined) {
    const { requests, down } = trafficBetween(before, store.relay.traffic);
    addRow(measuring, `${name}: full load, requests`, { value: requests, unit: 'requests' });
    addRow(measuring, `${name}: full load, received`, { value: down / kilo, unit: 'kB' });
  }
  await sleep(Math.min(2000, times.rest));
  const cost = await reader.usage();
  addRow(measuring, `${name}: full load, processor time with loading`, { value: cost.cpu, unit: 'ms' });
  addRow(measuring, `${name}: memory of source and tracker`, {
    value: inMebibytes(cost.resident),
    unit: 'MB',
  });
  addRow(measuring, `${name}: its peak`, { value: inMebibytes(cost.peak), unit: 'MB' });

  measuring.progress(`${name}: one endpoint moves`);
  const samples: number[] = [];
  for (let sample = 0; sample < times.samples; sample++) {
    signal.throwIfAborted();
    await sleep(20);
    const heard = reader.next(({ news }) => news === 'services');
    const at = monotonic();
    await store.moveEndpoint(sample % amount.services, { amount, moved: sample < amount.services });
    const news = await heard;
    if (news.news === 'services') samples.push(news.trackedAt - at);
  }
  addSamples(measuring, `${name}: one endpoint moves, write to the proxy's ports`, samples);

  measuring.progress(`${name}: ${moveRate} endpoints move each second`);
  const begin = { batches, usage: await reader.usage(), at: monotonic() };
  const moves = Math.round((moveRate * times.churn) / 1000);
  for (let move = 0; move < moves; move++) {
    signal.throwIfAborted();
    const wait = begin.at + (move * 1000) / moveRate - monotonic();
    if (wait > 1) await sleep(wait);
    const service = (times.samples + move) % amount.services;
    const round = Math.floor((times.samples + move) / amount.services);
    await store.moveEndpoint(service, { amount, moved: round % 2 === 0 });
  }
  const milliseconds = monotonic() - begin.at;
  const usage = await reader.usage();
  addRow(measuring, `${name}: ${moveRate} endpoints move each second, load of the reader`, {
    value: ((usage.cpu - begin.usage.cpu) / milliseconds) * 100,
    unit: '% of a processor',
  });
  addRow(measuring, `${name}: ${moveRate} endpoints move each second, batches`, {
    value: ((batches - begin.batches) / milliseconds) * 1000,
    unit: 'a second',
  });
}
