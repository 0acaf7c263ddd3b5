import { generateCatalogue } from "./generate.ts";
import { picsReply } from "./pics-replies.ts";
import { createRequestLog } from "./request-log.ts"; import { createFaults } from "./faults.ts";
import { joinMessages, encodeMessage, encodeMulti } from "./wire.ts"; import { gzipSync } from "node:zlib";
const c=generateCatalogue({seed:1,count:10000}); c.pregenerate();
const ctx={catalogue:c,log:createRequestLog(false),faults:createFaults(),latencyMs:0,changeWindow:5000,appsPerMessage:100,httpMinSize:Infinity,apiKey:'',heartbeatSeconds:9};
const ids=[...c.apps.keys()];
for(let r=0;r<4;r++){let t=performance.now(); let z=0,n=0;
for(let i=0;i<ids.length;i+=200){const rep=picsReply(ctx,{kind:'product_info',ids:ids.slice(i,i+200),replyMsg:8904,since:0,tokens:new Map(),packages:[]},{apps:new Map(),incomplete:false});
 for(const b of rep.bodies){const p=joinMessages([encodeMessage(8904,{jobid_target:'5'},b)]); n+=p.length; const t2=performance.now(); const zz=gzipSync(p,{level:1}); z+=performance.now()-t2; encodeMulti(zz,p.length);}}
console.log('us/app total',(performance.now()-t)/10,'of which gzip',z/10, n);}
