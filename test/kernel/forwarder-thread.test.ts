// The real thread of backend udp: started, told, stopped, and what is heard when it breaks. What it carries is test/agent/udp.test.ts's.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { type ForwarderThread, startForwarderThread } from '../../agent/carrier/udp/forwarder-thread.ts';
import { peerWords } from '../../agent/carrier/udp/peer-routes.ts';
import { UdpCounters } from '../../agent/carrier/udp/udp-counters.ts';
import type { WorkerCommand, WorkerNews } from '../../agent/carrier/udp/worker-messages.ts';
import { openTunnelKernel } from '../../kernel/tun/tunnel-kernel.ts';
import { IpAddress } from '../../net/address.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { until } from '../agent/cluster.ts';
import { testNetns } from '../sandbox.ts';

const threads = (): number => readdirSync('/proc/self/task').length;

function start(): {
  readonly thread: ForwarderThread;
  readonly news: WorkerNews[];
  readonly crashes: string[];
} {
  const news: WorkerNews[] = [];
  const crashes: string[] = [];
  const thread = startForwarderThread(new UdpCounters().memory, {
    onNews: (each) => news.push(each),
    onCrash: (error) => crashes.push(errorMessage(error)),
  });
  return { thread, news, crashes };
}

test('says what it uses, notices that its device is gone, and ends when it is told', async () => {
  using place = testNetns();
  const kernel = openTunnelKernel(place.netns);
  const before = threads();
  const { thread, news, crashes } = start();
  const tun = kernel.openTun('flannel0');
  const raw = kernel.openRaw();
  expect(kernel.isAttached(tun)).toBe(true);
  thread.tell({ kind: 'peers', peers: peerWords([]) });
  const nowhere = { network: 0, mask: 0 };
  thread.tell({
    kind: 'tunnel',
    tunnel: {
      ...{ number: 1, tun, udp: -1, raw, splits: true, source: IpAddress.parse('10.244.1.0').bytes },
      place: { network: nowhere, subnet: nowhere, ownAddresses: [], port: 8285 },
    },
  });
  await until(
    () => news.length === 1,
    () => JSON.stringify({ news, crashes }),
  );
  // While the thread waits for it.
  execFileSync('ip', ['-n', place.name, 'link', 'delete', 'flannel0']);
  await until(
    () => news.length === 2,
    () => JSON.stringify({ news, crashes }),
  );
  expect(news).toEqual([{ kind: 'in-use', number: 1 }, { kind: 'device-gone' }]);
  expect(kernel.isAttached(tun)).toBe(false);
  await thread.stop();
  await thread.stop();
  expect(crashes).toEqual([]);
  kernel.close(tun);
  kernel.close(raw);
  expect(threads()).toBeLessThanOrEqual(before);
});

test('one that breaks says why', async () => {
  const { thread, crashes } = start();
  // What no agent says.
  thread.tell({ kind: 'peers' } as WorkerCommand);
  await until(
    () => crashes.length === 1,
    () => 'no crash',
  );
  expect(crashes[0]).toMatch(/undefined/);
  await thread.stop();
});
