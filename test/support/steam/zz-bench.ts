import { forkSimulatedSteam } from "./child.ts";
import SteamUser from "steam-user"; import tls from "node:tls"; import { readFileSync } from "node:fs";
for (const pregenerate of [true]) {
const steam = await forkSimulatedSteam({ generate: { seed: 1, count: 20000 }, pregenerate, keepRequests: false });
tls.setDefaultCACertificates([...tls.getCACertificates("default"), readFileSync(steam.caFile, "utf8")]);
const u: any = new (SteamUser as any)({ httpProxy: steam.proxyUrl, protocol: 2, dataDirectory: null, autoRelogin: false });
u.logOn({ anonymous: true }); await new Promise<void>(r => u.on('loggedOn', () => r()));
const ids = await steam.call("appids");
const send=(e:number,b:any)=>new Promise<any>(r=>{const acc:any[]=[];u._send(e,b,(x:any)=>{acc.push(x); if(!x.response_pending) r(acc)})});
let t=performance.now(); let s0=await steam.call("stats");
for(let i=0;i<ids.length;i+=5000) await send(8903,{apps:ids.slice(i,i+5000).map(appid=>({appid})),packages:[],meta_data_only:true});
let s1=await steam.call("stats"); console.log(pregenerate,'metadata ms',performance.now()-t,'cpu',s1.cpuMs-s0.cpuMs);
for(let k=0;k<2;k++){ t=performance.now(); s0=await steam.call("stats"); let n=0;
await Promise.all([0,1,2,3].map(async j=>{for(let i=j*200;i<ids.length;i+=800){const r=await send(8903,{apps:ids.slice(i,i+200).map(appid=>({appid})),packages:[]}); for(const x of r) n+=x.apps.length}}));
s1=await steam.call("stats"); const ms=performance.now()-t;
console.log(pregenerate,n,'apps/s',n/ms*1000,'server apps per cpu s',n/(s1.cpuMs-s0.cpuMs)*1000,'rss',s1.rssBytes/1e6, 'bytes',s1.bytesSent/1e6);}
u.logOff(); await new Promise(r=>u.once('disconnected',r)); await steam.close();}
