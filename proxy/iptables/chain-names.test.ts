import { describe, expect, test } from '@jest/globals';
import { endpointChain, portChain, portChainRank } from './chain-names.ts';

const svc1 = { namespace: 'ns1', service: 'svc1', portName: 'p80', protocol: 'tcp' } as const;

describe('chain names', () => {
  test.each([
    ['SVC', 'KUBE-SVC-XPGD46QRK7WJZT7O'],
    ['SVL', 'KUBE-SVL-XPGD46QRK7WJZT7O'],
    ['EXT', 'KUBE-EXT-XPGD46QRK7WJZT7O'],
    ['FW', 'KUBE-FW-XPGD46QRK7WJZT7O'],
  ] as const)('%s of ns1/svc1:p80', (kind, name) => {
    expect(portChain(kind, svc1)).toBe(name);
  });
  test('the API server', () => {
    const port = { namespace: 'default', service: 'kubernetes', portName: 'https', protocol: 'tcp' } as const;
    expect(portChain('SVC', port)).toBe('KUBE-SVC-NPX46M4PTMTKRN6Y');
  });
  test('endpoints', () => {
    expect(endpointChain(svc1, '10.180.0.1:80')).toBe('KUBE-SEP-SXIVWICOYRO3J4NJ');
    expect(endpointChain(svc1, '[fd00:10:244::5]:80')).toBe('KUBE-SEP-JR6YXXN6Y3V4FLYE');
  });
  test('the protocol counts', () => {
    expect(portChain('SVC', { ...svc1, protocol: 'udp' })).not.toBe(portChain('SVC', svc1));
  });
  test('a chain leads only to later ones', () => {
    const ranks = ['KUBE-FW-X', 'KUBE-EXT-X', 'KUBE-SVC-X', 'KUBE-SVL-X', 'KUBE-SEP-X'].map(portChainRank);
    expect(ranks).toEqual([...ranks].sort());
    expect(portChainRank('KUBE-SERVICES')).toBeUndefined();
    expect(portChainRank('KUBE-FIREWALL')).toBeUndefined();
  });
});
