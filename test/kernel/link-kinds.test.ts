// Links of kinds that not every kernel has (dummy, TUN, ipip, WireGuard): made, changed, read and removed by the rtnetlink driver, beside what
// `ip` prints and makes. Run in a virtual machine where this kernel has none of them.
import { execFileSync } from 'node:child_process';
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { openRouteDriver, type RouteAccess } from '../../kernel/route/driver.ts';
import { type Link, netloomRouteProtocol, routeState } from '../../kernel/route/objects.ts';
import { planRoute } from '../../kernel/route/plan.ts';
import type { RouteScope, RouteStep } from '../../kernel/route/step.ts';
import { linkText, routeStepText } from '../../kernel/route/text.ts';
import { IpAddress } from '../../net/address.ts';
import { refuseRoot, type TestNetns, testNetns } from '../sandbox.ts';

const name = 'kind0';
const scope: RouteScope = {
  links: new Set([name]),
  addressesOn: new Set(),
  neighboursOn: new Set(),
  fdbOn: new Set(),
  protocol: netloomRouteProtocol,
};
const local = IpAddress.parse('192.0.2.1');
const ipip = (remote: string, mtu: number): Link => ({
  name,
  detail: { kind: 'ipip', local, remote: IpAddress.parse(remote) },
  mtu,
  up: true,
});

/** Each kind in the forms that it is brought from and to. */
const kinds: readonly (readonly [string, ...Link[]])[] = [
  [
    'dummy',
    { name, detail: { kind: 'dummy' }, mtu: 1500, up: false },
    { name, detail: { kind: 'dummy' }, mtu: 1400, up: true },
  ],
  [
    'tun',
    { name, detail: { kind: 'tun' }, mtu: 1472, up: true },
    { name, detail: { kind: 'tun' }, mtu: 1372, up: false },
  ],
  ['ipip', ipip('192.0.2.2', 1480), ipip('192.0.2.2', 1400), ipip('192.0.2.3', 1480)],
  [
    'wireguard',
    { name, detail: { kind: 'wireguard' }, mtu: 1420, up: true },
    { name, detail: { kind: 'wireguard' }, mtu: 1380, up: false },
  ],
];

let place: TestNetns;
let driver: RouteAccess;

beforeAll(refuseRoot);

beforeEach(() => {
  place = testNetns();
  driver = openRouteDriver({ netns: place.netns });
});

afterEach(() => {
  driver.close();
  place[Symbol.dispose]();
});

function reconcile(wanted: readonly Link[]): readonly string[] {
  const desired = routeState({ links: wanted });
  const steps = planRoute(desired, driver.read(), scope);
  for (const { error } of driver.apply(steps)) if (error !== undefined) throw error;
  expect(planRoute(desired, driver.read(), scope).map(routeStepText)).toEqual([]);
  return steps.map(routeStepText);
}

function ip(...words: readonly string[]): string {
  return execFileSync('ip', ['-n', place.name, ...words], { encoding: 'utf8' });
}

/** What was asked for, as the driver reads it. */
function shown(): string | undefined {
  const link = driver.read().links.get(name);
  if (link === undefined) return undefined;
  const { detail, mtu, up } = link;
  return linkText({ name, detail, mtu, up });
}

/** Undefined when this kernel has the kind. */
function whyNot(add: RouteStep): string | undefined {
  using probed = testNetns();
  const opened = openRouteDriver({ netns: probed.netns });
  try {
    return opened.apply([add]).find(({ error }) => error !== undefined)?.error?.message;
  } finally {
    opened.close();
  }
}

for (const [kind, first, ...others] of kinds) {
  const forms = first === undefined ? [] : [first, ...others];
  const missing = first === undefined ? undefined : whyNot({ kind: 'link-add', link: first });
  const onSuch = (title: string, body: () => void): void => {
    if (missing === undefined) test(title, body);
    else test.skip(`${title}: ${missing}`, body);
  };

  onSuch(`a ${kind} link from any form to any, and away`, () => {
    for (const from of forms) {
      for (const to of forms) {
        reconcile([from]);
        expect(shown()).toBe(linkText(from));
        reconcile([to]);
        expect(shown()).toBe(linkText(to));
        expect(ip('-d', 'link', 'show', 'dev', name)).toContain(`mtu ${to.mtu} `);
      }
    }
    reconcile([]);
    expect(shown()).toBe(undefined);
  });

  onSuch(`a ${kind} link is what the commands of its plan make`, () => {
    for (const form of forms) {
      const steps = planRoute(routeState({ links: [form] }), driver.read(), scope);
      // One that takes its options afterwards is made by two commands.
      for (const command of steps.flatMap((step) => routeStepText(step).split(' && '))) {
        const [program = '', ...words] = command.split(' ');
        expect(program).toBe('ip');
        ip(...words);
      }
      expect(reconcile([form])).toEqual([]);
      ip('link', 'delete', name);
    }
  });
}
