// Services of a lab as rows for people. Pure.
import { addressesOf } from './complete-service.ts';
import { givenIps } from './service-families.ts';
import { manifestKey, type ServiceManifest } from './service-manifest.ts';

export function serviceRows(services: readonly ServiceManifest[]): readonly string[] {
  const rows = services.map((service) => {
    const { spec } = service;
    return [
      manifestKey(service),
      spec.type,
      [...clusterIps(service), ...addressesOf(service)].join(', '),
      spec.ports.map(portText).join(', '),
    ];
  });
  const widths = [0, 1, 2].map((i) => Math.max(0, ...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function clusterIps({ spec }: ServiceManifest): readonly string[] {
  const given = givenIps(spec);
  return given.length === 0 ? ['-'] : given;
}

function portText(port: ServiceManifest['spec']['ports'][number]): string {
  const node = port.nodePort === undefined ? '' : `, node port ${port.nodePort}`;
  return `${port.port}/${port.protocol.toLowerCase()}${node}`;
}
