// The very first script, small and without others: who has signed in here is asked for at once what the address will need,
// while the rest of the code is still on its way. What it asks is asked again, and shown to fail, where it is needed.

const BASE = '/api/v1';
/** An answer that was asked for early is not used after this time, ms. */
const EARLY_MS = 10_000;
/** Devices that one answer may hold. */
export const FLEET_PAGE = 10_000;

const answers = new Map<string, { at: number; response: Promise<Response> }>();
/** Nothing was changed since the page began, nor who has signed in. */
let isFirst = true;

function askEarly(path: string): Promise<Response> {
  const response = fetch(`${BASE}${path}`, { headers: { accept: 'application/json' }, credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(EARLY_MS) });
  response.catch(() => {});
  answers.set(path, { at: performance.now(), response });
  return response;
}

/** A device, its latest values, and its template as soon as it is known that it has one. */
function askDevice(org: number, id: string): void {
  const path = `/orgs/${org}/devices/${id}`;
  void askEarly(`${path}/values`);
  askEarly(path).then(async (response) => {
    const found = response.ok ? (await response.clone().json()) as { template: string | null } : null;
    if (found?.template) askEarly(`${path}/template`);
  }).catch(() => {});
}

/** The answer to what was asked early; each is used once. */
export function takeEarly(path: string): Promise<Response> | null {
  const found = answers.get(path);
  answers.delete(path);
  return isFirst && found && performance.now() - found.at < EARLY_MS ? found.response : null;
}

/** Something is about to change: what was answered before, perhaps for somebody else, is not true any more. */
export function forgetEarly(): void {
  isFirst = false;
  answers.clear();
}

/** Only a hint, not a right: that this browser has signed in, and the organization that was shown. */
export const HINT = 'linchpin.signed-in';
export const wasSignedIn = (): boolean => localStorage.getItem(HINT) !== null;
/** The organization that will be shown, probably; 0: nobody knows. */
export const probableOrg = (): number => Number(localStorage.getItem(HINT)) || 0;

/** All devices of an organization and of those below it. */
export const fleetPath = (org: string): string => `${org}/devices?below=true&limit=${FLEET_PAGE}`;

/** Fetch files that the page names. */
function preload(name: string): void {
  const files = document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? '';
  for (const href of files.split(' ').filter(Boolean)) {
    const link = document.createElement('link');
    link.rel = href.endsWith('.css') ? 'preload' : 'modulepreload';
    if (link.rel === 'preload') link.as = 'style';
    link.href = href;
    document.head.append(link);
  }
}

/** Called once by itself. */
export function begin(): void {
  isFirst = true;
  if (!wasSignedIn()) return;
  void askEarly('/me');
  const org = probableOrg();
  const [, device] = /^\/devices\/(\d+)$/.exec(location.pathname) ?? [];
  if (device) {
    if (org) askDevice(org, device);
    preload('device-part');
    preload('more-style');
  } else if (location.pathname === '/devices') {
    if (org) void askEarly(fleetPath(`/orgs/${org}`));
    preload('devices-part');
  }
}
// Where a unit test has no page, nothing begins.
if (typeof document !== 'undefined') begin();
