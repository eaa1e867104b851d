// fetch() of Node.js, which is undici, as a client of the benchmarks
// (client.h): COUNT in flight.  The CA file comes by NODE_EXTRA_CA_CERTS.
const [url, requestsText, , countText = "64"] = process.argv.slice(2);
const requests = Number(requestsText);
const count = Number(countText);

async function run(total) {
  let left = total;
  const oneAfterAnother = async () => {
    while (left > 0) {
      left--;
      const response = await fetch(url);
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error("status is not 200");
    }
  };
  await Promise.all(Array.from({ length: count }, oneAfterAnother));
}

await run(Math.max(Math.floor(requests / 10), count));
const cpu = process.cpuUsage();
const wall = process.hrtime.bigint();
await run(requests);
const used = process.cpuUsage(cpu);
console.log(requests, (used.user + used.system) / requests,
  Number(process.hrtime.bigint() - wall) / 1e3 / requests, 0);
process.exit(0);
