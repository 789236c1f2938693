// The WireGuard driver on the real kernel, by the suite that the fake passes, and beside `wg`. Needs a kernel that has it.
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { isNotSupported } from '../../kernel/kernel-error.ts';
import { openWireguard } from '../../kernel/wireguard/driver.ts';
import { caseKey, caseLink, casePeer, states, stepsTo } from '../../kernel/wireguard/driver-cases.ts';
import type { WireguardAccess } from '../../kernel/wireguard/objects.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';
import { wireguardDriverSuite } from '../wireguard/driver-suite.ts';

const why = whyNot();

function whyNot(): string | undefined {
  using place = testNetns();
  try {
    openWireguard({ netns: place.netns }).close();
    return undefined;
  } catch (error) {
    if (isNotSupported(error)) return String(error);
    throw error;
  }
}

/** A namespace with the cases' link in it. */
function open(): { readonly access: WireguardAccess; readonly place: TestNetns; readonly close: () => void } {
  const place = testNetns();
  run(place, 'ip', 'link', 'add', caseLink, 'type', 'wireguard');
  const access = openWireguard({ netns: place.netns });
  return {
    access,
    place,
    close: () => {
      access.close();
      place[Symbol.dispose]();
    },
  };
}

function run({ name }: TestNetns, ...command: readonly string[]): string {
  return execFileSync('ip', ['netns', 'exec', name, ...command], { encoding: 'utf8' });
}

if (why !== undefined) test.skip(`WireGuard: ${why}`, () => undefined);
else {
  describe('the kernel, as every driver', () => {
    wireguardDriverSuite(open);
  });

  describe('beside wg', () => {
    let opened: ReturnType<typeof open>;
    beforeEach(() => {
      opened = open();
    });
    afterEach(() => opened.close());

    test('it shows what was set, and a plan finds nothing to do on what it has set', () => {
      const state = states.find(({ name }) => name === 'two peers');
      if (state === undefined) throw new RangeError('Cannot find the state');
      opened.access.apply(stepsTo(state, opened.access));
      const wg = (...words: readonly string[]) => run(opened.place, 'wg', ...words);
      const { publicKey } = casePeer(2);
      expect(wg('show', caseLink, 'private-key').trim()).toBe(String(caseKey(1)));
      expect(wg('show', caseLink, 'endpoints')).toContain(`${publicKey}\t192.0.2.2:51820\n`);
      expect(wg('show', caseLink, 'allowed-ips')).toContain(`${publicKey}\t10.244.2.0/24\n`);
      wg('set', caseLink, 'peer', String(publicKey), 'remove');
      expect(stepsTo(state, opened.access).map(({ kind }) => kind)).toEqual(['peer-set']);
      wg(
        'set',
        caseLink,
        'peer',
        String(publicKey),
        'endpoint',
        '192.0.2.2:51820',
        'allowed-ips',
        '10.244.2.0/24',
      );
      expect(stepsTo(state, opened.access)).toEqual([]);
    });
  });
}
