// What the path's benchmark measures with: sides whose pods talk, ours, one made by hand and one of naive loops; and figures that can be.
import { expect, test } from '@jest/globals';
import { hasIperf, runIperf } from '../../cli/bench/path/iperf.ts';
import { makeOurPath } from '../../cli/bench/path/our-path.ts';
import { type PathBackend, pathBackends } from '../../cli/bench/path/path-backends.ts';
import { runFlow, runPing } from '../../cli/bench/path/path-process.ts';
import { type OpenSide, openSide } from '../../cli/bench/path/path-side.ts';
import { makePeerPath } from '../../cli/bench/path/peer-path.ts';
import { refuseRoot } from '../sandbox.ts';

refuseRoot();

const { signal } = new AbortController();

function backendOf(name: string): PathBackend {
  const backend = pathBackends.find((each) => each.name === name);
  if (backend === undefined) throw new Error(`no "${name}"`);
  return backend;
}

const sides: readonly (readonly [string, OpenSide['make']])[] = [
  ['ours', (hosts, place) => makeOurPath(hosts, { ...place, backend: backendOf('host-gw') })],
  ['made by hand', (hosts, place) => makePeerPath(hosts, { ...place, backend: backendOf('vxlan') })],
  ['of naive loops', (hosts, place) => makePeerPath(hosts, { ...place, backend: backendOf('udp') })],
];

test.each(sides)('a side %s', async (_, make) => {
  const withIperf = await hasIperf();
  await using side = await openSide({ signal, withIperf, make });
  const between = { own: side.from, peer: side.to, seconds: 0.3 } as const;
  for (const size of [64, 1400]) {
    for (const protocol of ['tcp', 'udp'] as const) {
      const { answered, median, p99 } = await runPing({ do: 'ping', protocol, size, ...between }, side.pod);
      expect(answered).toBeGreaterThan(0);
      expect(p99).toBeGreaterThanOrEqual(median);
    }
    const job = { do: 'flow', protocol: 'udp', size, ...between } as const;
    const { received, lost } = await runFlow(job, side.pod);
    expect(received).toBeGreaterThan(0);
    expect(lost).toBe(0);
  }
  if (withIperf)
    expect(await runIperf({ to: side.to, length: 1400, seconds: 0.3 }, side.pod)).toBeGreaterThan(0);
});

test('whom nobody answers', async () => {
  await using side = await openSide({
    signal,
    withIperf: false,
    make: (hosts, place) => makePeerPath(hosts, { ...place, backend: backendOf('host-gw') }),
  });
  const job = { protocol: 'udp', size: 64, own: side.from, peer: side.from.plus(9), seconds: 0.3 } as const;
  await expect(runPing({ do: 'ping', ...job }, side.pod)).rejects.toThrow(
    /Cannot measure|host is unreachable/,
  );
  await expect(runFlow({ do: 'flow', ...job }, side.pod)).rejects.toThrow(
    /Cannot measure|host is unreachable/,
  );
});
