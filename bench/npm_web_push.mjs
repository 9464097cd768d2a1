// The npm peer of bench/fanout.py: node npm_web_push.mjs FOLDER ORIGIN COUNT [CA]; 100 in flight over kept connections.
import { createECDH, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Agent as HttpsAgent } from "node:https";

const [folder, origin, count, authority] = process.argv.slice(2);
const webPush = createRequire(`${folder}/`)("web-push");
const agent = new HttpsAgent({ keepAlive: true, maxSockets: 100, ca: authority && readFileSync(authority) });
const { publicKey, privateKey } = webPush.generateVAPIDKeys();
const payload = JSON.stringify({ notification: { title: "售票系统故障，启动预案，请立即到游客中心集合。", body: "x".repeat(60) }, tocsin: { alert: "0".repeat(32) } });
const subscriptions = Array.from({ length: Number(count) }, (_, number) => {
  const phone = createECDH("prime256v1");
  return { endpoint: `${origin}/wpush/${number}`, keys: { p256dh: phone.generateKeys("base64url"), auth: randomBytes(16).toString("base64url") } };
});
const options = { TTL: 3600, urgency: "high", agent, vapidDetails: { subject: "mailto:duty@example.org", publicKey, privateKey } };
let next = 0;
const send = async () => {
  while (next < subscriptions.length) await webPush.sendNotification(subscriptions[next++], payload, options);
};
const started = performance.now();
await Promise.all(Array.from({ length: 100 }, send));
console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000, mb: process.resourceUsage().maxRSS / 1024 }));
process.exit(0);
