// A real etcd of one member on loopback, on ports that the kernel chose, with its data in memory. Ended and removed when disposed of.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from '../../../kernel/exec.ts';
import { isRunning, startDaemon, stopProcesses } from '../../../kernel/process.ts';
import { EtcdClient } from '../../../store/etcd/etcd-client.ts';
import { keyBytes } from '../../../store/etcd/key-range.ts';

const patience = 20_000;
const lastWords = 500;

export interface EtcdServer extends AsyncDisposable {
  /** For clients. */
  readonly port: number;
  /** "etcd Version: 3.4.23". */
  readonly version: string;
}

/** Why there can be none here; undefined: there can. */
export async function etcdFault(): Promise<string | undefined> {
  try {
    await execute(['etcd', '--version']);
    return undefined;
  } catch {
    return 'there is no etcd on PATH';
  }
}

export async function startEtcd(): Promise<EtcdServer> {
  const { stdout } = await execute(['etcd', '--version']);
  const directory = mkdtempSync('/run/netloom-bench-etcd-');
  const [port, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const logFile = join(directory, 'log');
  const process_ = await startDaemon(
    [
      'etcd',
      ...['--name', 'bench', '--data-dir', join(directory, 'data')],
      ...['--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', `bench=${peerUrl}`],
    ],
    { logFile },
  );
  const stop = async (): Promise<void> => {
    await stopProcesses([process_], { grace: 2000 });
    rmSync(directory, { recursive: true, force: true });
  };
  const client = new EtcdClient({ endpoints: [url] });
  try {
    for (const deadline = performance.now() + patience; ; await sleep(50)) {
      try {
        await client.range({ key: keyBytes('ready') }, AbortSignal.timeout(1000));
        break;
      } catch (error) {
        if (isRunning(process_) && performance.now() < deadline) continue;
        const log = readFileSync(logFile, 'utf8').slice(-lastWords);
        throw new Error(`etcd did not start: ${log}`, { cause: error });
      }
    }
  } catch (error) {
    await stop();
    throw error;
  } finally {
    client.close();
  }
  return { port, version: stdout.split('\n')[0] ?? '', [Symbol.asyncDispose]: stop };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('The kernel gave no port');
  return address.port;
}
