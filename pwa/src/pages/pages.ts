/** Which screen stands at which address; every one but Now and sign-in is loaded when first opened. */
import type { RouteName } from '../routes';

type Loader = () => Promise<{ default: unknown }>;

export const pages: Partial<Record<RouteName, Loader>> = {
  sign_in: () => import('../people/SignIn.svelte'),
  enrol: () => import('../people/Enrol.svelte'),
};
