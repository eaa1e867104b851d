"""aiohttp as a client of the benchmarks (client.h): COUNT tasks over as many
connections of one session."""
import asyncio
import resource
import ssl
import sys
import time

import aiohttp


def cpu_us():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


async def run(session, url, total, count):
    left = total

    async def one_after_another():
        nonlocal left
        while left > 0:
            left -= 1
            async with session.get(url) as response:
                await response.read()
                assert response.status == 200
    await asyncio.gather(*(one_after_another() for _ in range(count)))


async def main(url, requests, ca="-", count="64"):
    requests, count = int(requests), int(count)
    context = ssl.create_default_context(cafile=ca) if ca != "-" else None
    connector = aiohttp.TCPConnector(limit=count, ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        await run(session, url, max(requests // 10, count), count)
        cpu, wall = cpu_us(), time.monotonic()
        await run(session, url, requests, count)
        print(requests, (cpu_us() - cpu) / requests,
              (time.monotonic() - wall) * 1e6 / requests, 0)

asyncio.run(main(*sys.argv[1:]))
