/** The browser's own offer to install, caught when it comes and shown when a person asks. */

interface InstallEvent extends Event {
  prompt(): Promise<void>;
  userChoice: Promise<{ outcome: 'accepted' | 'dismissed' }>;
}

let event: InstallEvent | null = null;
const offer = $state({ ready: false });

if (typeof addEventListener === 'function') {
  addEventListener('beforeinstallprompt', (offered) => {
    offered.preventDefault();
    event = offered as InstallEvent;
    offer.ready = true;
  });
  addEventListener('appinstalled', () => {
    offer.ready = false;
  });
}

export const install = {
  get ready(): boolean {
    return offer.ready;
  },
  async ask(): Promise<void> {
    await event?.prompt();
    if ((await event?.userChoice)?.outcome === 'accepted') offer.ready = false;
  },
};
