import { describe, expect, test } from '@jest/globals';
import { openTracker } from './sample-tracker.ts';

describe('two that want the same', () => {
  const first = { name: 'first', clusterIps: ['10.96.0.1'], createdAt: 1 } as const;
  const second = { name: 'second', clusterIps: ['10.96.0.2'], createdAt: 2 } as const;

  test('a node port: the first by creation has it, the other works without; it gets it when the first goes', () => {
    const { tracker, service, removeService, port } = openTracker();
    const nodePort = { type: 'NodePort' as const, ports: [{ nodePort: 30080 }] };
    expect(service({ ...second, ...nodePort })).toEqual(['ns/second/tcp']);
    expect(service({ ...first, ...nodePort })).toEqual(['ns/first/tcp', 'ns/second/tcp']);
    expect([port('ns/first/tcp').nodePort, port('ns/second/tcp').nodePort]).toEqual([30080, undefined]);
    expect(tracker.problems).toEqual([
      {
        object: 'Service "ns/second"',
        message: 'nodePort: 30080/tcp is left out: Service "ns/first" has it',
      },
    ]);
    const { problems } = tracker;
    expect(service({ ...second, ...nodePort, affinitySeconds: 1 })).toEqual(['ns/second/tcp']);
    expect(tracker.problems).toBe(problems);
    expect(removeService('ns/first').sort()).toEqual(['ns/first/tcp', 'ns/second/tcp']);
    expect(port('ns/second/tcp').nodePort).toBe(30080);
    expect(tracker.problems).toEqual([]);
  });

  test('node ports of two protocols are two', () => {
    const { tracker, service } = openTracker();
    service(
      { ...first, type: 'NodePort', ports: [{ nodePort: 30080 }] },
      { ...second, type: 'NodePort', ports: [{ nodePort: 30080, protocol: 'udp' }] },
    );
    expect(tracker.problems).toEqual([]);
  });

  test('a balancer address on the same port; on another they share it', () => {
    const { tracker, service, port } = openTracker();
    const balancer = { type: 'LoadBalancer' as const, loadBalancerIps: ['198.51.100.1'] };
    service({ ...first, ...balancer }, { ...second, externalIps: ['198.51.100.1', '198.51.100.2'] });
    expect(port('ns/second/tcp').externalIps.map(String)).toEqual(['198.51.100.2']);
    expect(tracker.problems.map(({ message }) => message)).toEqual([
      'externalIPs: 198.51.100.1 port 80/tcp is left out: Service "ns/first" has it',
    ]);
    expect(service({ ...first, ...balancer, ports: [{ port: 81 }] })).toEqual([
      'ns/first/tcp',
      'ns/second/tcp',
    ]);
    expect(tracker.problems).toEqual([]);
  });

  test("nobody catches another service's cluster IP, even who was first", () => {
    const { tracker, service, removeService, port } = openTracker();
    service({ ...first, externalIps: ['10.96.0.2'] });
    expect(port('ns/first/tcp').externalIps).toHaveLength(1);
    expect(service(second)).toEqual(['ns/first/tcp', 'ns/second/tcp']);
    expect(port('ns/first/tcp').externalIps).toEqual([]);
    expect(tracker.problems).toEqual([
      {
        object: 'Service "ns/first"',
        message: 'externalIPs: 10.96.0.2 port 80/tcp is left out: Service "ns/second" has it',
      },
    ]);
    removeService('ns/second');
    expect(port('ns/first/tcp').externalIps).toHaveLength(1);
    expect(tracker.problems).toEqual([]);
  });

  test('one cluster IP: the later port is not served', () => {
    const { tracker, service } = openTracker();
    service(first, { ...second, clusterIps: first.clusterIps, ports: [{}, { name: 'more', port: 81 }] });
    expect([...tracker.ports.keys()].sort()).toEqual(['ns/first/tcp', 'ns/second:more/tcp']);
    expect(tracker.problems.map(({ message }) => message)).toEqual([
      'clusterIP: 10.96.0.1 port 80/tcp, and with it this port of the service, is left out: Service "ns/first" has it',
    ]);
  });

  test('a health check port and a node port', () => {
    const { tracker, service, port } = openTracker();
    service(
      { ...first, type: 'NodePort', ports: [{ nodePort: 32000 }] },
      {
        ...second,
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 32000,
        loadBalancerIps: ['198.51.100.1'],
      },
    );
    expect([port('ns/second/tcp').healthCheckNodePort, tracker.healthChecks.size]).toEqual([undefined, 0]);
    expect(tracker.problems.map(({ message }) => message)).toEqual([
      'healthCheckNodePort: 32000 is left out: Service "ns/first" has it',
    ]);
  });

  test('two ports of one service', () => {
    const { tracker, service, port } = openTracker();
    service({
      type: 'NodePort',
      ports: [
        { name: 'a', nodePort: 30080 },
        { name: 'b', port: 81, nodePort: 30080 },
        { name: 'a', port: 82 },
      ],
    });
    expect(port('ns/web:b/tcp').nodePort).toBeUndefined();
    expect(tracker.problems.map(({ message }) => message)).toEqual([
      'nodePort: 30080/tcp is left out: another port of this service has it',
      'ports: "a" (tcp) is there twice; the second, 82, is left out',
    ]);
  });
});
