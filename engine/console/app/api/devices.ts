// Where a device is: its routes name its organization, its address in the console does not.
import { askWhole, Problem, type Answer } from './client.ts';
import type { Device, Org, Page } from './types.ts';
import { me, O } from '../session.ts';

const orgs = new Map<number, number>();

/** The path of a device whose organization was seen. */
export const D = (device: number): string => `${orgs.has(device) ? `/orgs/${orgs.get(device)}` : O.peek()}/devices/${device}`;
export const rememberOrg = (device: number, org: number): void => { orgs.set(device, org); };

/** Look in one organization; `null` when the device is not there or may not be seen. */
async function lookIn(org: number, device: number): Promise<Answer<Device> | null> {
  try { return await askWhole<Device>(`/orgs/${org}/devices/${device}`); } catch (error) {
    if (error instanceof Problem && (error.status === 404 || error.status === 403)) return null;
    throw error;
  }
}

/** The device with this id, wherever the person may see it: the known organization, then those granted, then those below. */
export async function findDevice(device: number): Promise<Device> {
  const grants = me.peek()?.grants ?? [];
  const known = orgs.get(device);
  const first = [...(known === undefined ? [] : [known]), ...grants.map((grant) => grant.org)];
  for (const org of new Set(first)) {
    const found = await lookIn(org, device);
    if (found) { rememberOrg(device, found.body.org); return found.body; }
  }
  for (const grant of grants.filter((one) => one.below)) {
    const below = await askWhole<Page<Org>>(`/orgs/${grant.org}/orgs?below=true`).catch(() => null);
    for (const org of below?.body.items ?? []) {
      const found = await lookIn(org.id, device);
      if (found) { rememberOrg(device, found.body.org); return found.body; }
    }
  }
  throw new Problem(404, 'E_MISSING', 'no such device');
}
