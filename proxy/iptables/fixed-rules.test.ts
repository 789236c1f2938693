import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import type { RuleContext } from '../rule-context.ts';
import { fixedRules } from './fixed-rules.ts';
import { sampleContext } from './sample-context.ts';

const note =
  '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"';

describe('fixedRules', () => {
  test.each<readonly [string, Partial<RuleContext>, readonly string[]]>([
    ['everywhere', {}, [`${note} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`]],
    [
      'not on localhost',
      { localhostNodePorts: false },
      [`${note} -m addrtype --dst-type LOCAL ! -d 127.0.0.0/8 -j KUBE-NODEPORTS`],
    ],
    ['IPv6', { family: 6 }, [`${note} -m addrtype --dst-type LOCAL ! -d ::1/128 -j KUBE-NODEPORTS`]],
    [
      'on two addresses',
      {
        nodePortIps: [IpAddress.parse('192.0.2.1'), IpAddress.parse('192.0.2.2')],
        localhostNodePorts: false,
      },
      [`${note} -d 192.0.2.1 -j KUBE-NODEPORTS`, `${note} -d 192.0.2.2 -j KUBE-NODEPORTS`],
    ],
    [
      'on an address and localhost',
      { nodePortIps: [IpAddress.parse('192.0.2.1')] },
      [`${note} -d 192.0.2.1 -j KUBE-NODEPORTS`, `${note} -d 127.0.0.0/8 -j KUBE-NODEPORTS`],
    ],
    ['nowhere', { nodePortIps: [], localhostNodePorts: false }, []],
  ])('node ports %s', (_, context, lines) => {
    expect(fixedRules(sampleContext(context), { randomFully: true }).tails.services).toEqual(lines);
  });

  const linesOf = (context: Partial<RuleContext>, chain: string, randomFully = true) =>
    fixedRules(sampleContext(context), { randomFully }).chains.find((one) => one.chain === chain)?.lines;

  test('INVALID packets, or not', () => {
    expect(linesOf({}, 'KUBE-FORWARD')).toHaveLength(3);
    expect(linesOf({ dropInvalid: false }, 'KUBE-FORWARD')).toHaveLength(2);
  });

  test('another mark', () => {
    expect(linesOf({ masqueradeMark: 0x80000000 }, 'KUBE-MARK-MASQ')).toEqual([
      '-j MARK --or-mark 0x80000000',
    ]);
    expect(linesOf({ masqueradeMark: 1 }, 'KUBE-POSTROUTING')).toEqual([
      '-m mark ! --mark 0x00000001/0x00000001 -j RETURN',
      '-j MARK --xor-mark 0x00000001',
      '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
    ]);
  });

  test('route_localnet only with its guard', () => {
    const guarded = (context: Partial<RuleContext>) => {
      const { routeLocalnet, jumps } = fixedRules(sampleContext(context), { randomFully: true });
      return [routeLocalnet, jumps.some(({ line }) => line.includes('block incoming localnet'))];
    };
    expect(guarded({})).toEqual([true, true]);
    expect(guarded({ localhostNodePorts: false })).toEqual([false, false]);
    expect(guarded({ family: 6, localhostNodePorts: true })).toEqual([false, false]);
  });
});
