// Services of a lab as the files of its service directory have them: Kubernetes' own objects, of which the lab reads and completes a
// few fields, as an API server and its controllers would. What they mean is store/'s and proxy/'s business.
import { z } from 'zod';

export const ipFamilies = ['IPv4', 'IPv6'] as const;
export type IpFamily = (typeof ipFamilies)[number];

export const ipFamilyPolicies = ['SingleStack', 'PreferDualStack', 'RequireDualStack'] as const;
export type IpFamilyPolicy = (typeof ipFamilyPolicies)[number];

const port = z.looseObject({
  name: z.string().optional(),
  protocol: z.string().default('TCP'),
  port: z.number().int(),
  targetPort: z.union([z.number().int(), z.string()]).optional(),
  nodePort: z.number().int().optional(),
});

export const serviceManifest = z.looseObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Service'),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().default('default') }),
  spec: z.looseObject({
    type: z.string().default('ClusterIP'),
    clusterIP: z.string().optional(),
    clusterIPs: z.array(z.string()).optional(),
    ipFamilies: z.array(z.enum(ipFamilies)).optional(),
    ipFamilyPolicy: z.enum(ipFamilyPolicies).optional(),
    selector: z.record(z.string(), z.string()).optional(),
    ports: z.array(port).default([]),
  }),
  status: z
    .looseObject({
      loadBalancer: z
        .looseObject({ ingress: z.array(z.looseObject({ ip: z.string().optional() })).default([]) })
        .optional(),
    })
    .optional(),
});

export type ServiceManifest = Readonly<z.infer<typeof serviceManifest>>;

/** "default/web". */
export function manifestKey({ metadata }: Pick<ServiceManifest, 'metadata'>): string {
  return `${metadata.namespace}/${metadata.name}`;
}
