// Events and conditions that could not be told: told again, later, and not by all nodes at one moment.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { FakeApiServer } from '../../test/store/fake-api-server.ts';
import { until } from '../../test/store/until.ts';
import { KubeClient } from './api/kube-client.ts';
import { EventRecorder } from './event-recorder.ts';
import { NodeReporter } from './node-reporter.ts';
import type { KubeNode } from './parse-node.ts';

let server: FakeApiServer;
let client: KubeClient;
let events: EventRecorder;
let now: number;

beforeEach(async () => {
  server = await FakeApiServer.start();
  client = new KubeClient({
    access: { server: server.url, credentials: async () => ({ headers: {}, tls: {} }), refused() {} },
    silenceMs: 2000,
  });
  now = 1_800_000_000_000;
  events = new EventRecorder({ client, now: () => now, random: () => 0.5 });
});

afterEach(async () => {
  events.close();
  client.close();
  await server.stop();
});

const own: KubeNode = {
  name: 'n1',
  uid: 'u',
  createdAt: 0,
  podNetworks: [],
  annotations: new Map(),
  zone: undefined,
  isGoing: false,
  networkUnavailable: undefined,
  notes: [],
};

const asked = (verb: string) => server.requests.filter((request) => request.verb === verb).length;
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

test('after an event that could not be written none is tried for a while', async () => {
  server.fault = () => 503;
  const tell = () => events.record({ node: 'n1', type: 'Warning', reason: 'Bad', message: 'very' }, 'n1');
  tell();
  await until(() => asked('create') === 1);
  await settled();
  now += 44_000;
  tell();
  await settled();
  expect(asked('create')).toBe(1);
  server.fault = () => undefined;
  now += 2000;
  tell();
  await until(() => server.list('events').length === 1);
  expect(asked('create')).toBe(2);
});

test('a condition that could not be patched is patched later, when chance says so', async () => {
  server.put('nodes', { metadata: { name: 'n1' } });
  server.fault = ({ verb }) => (verb === 'patch' ? 503 : undefined);
  let troubles = 0;
  const reporter = new NodeReporter({
    client,
    events,
    setsCondition: true,
    now: () => now,
    random: () => 0.5,
    onTrouble: () => {
      troubles++;
    },
  });
  const tell = () => reporter.hear({ ready: true, blockers: [], problems: [] }, own);
  tell();
  await until(() => troubles === 1);
  await settled();
  now += 22_000;
  tell();
  await settled();
  expect(asked('patch')).toBe(1);
  now += 1000;
  tell();
  await until(() => troubles === 2);
  expect(asked('patch')).toBe(2);
  reporter.close();
});
