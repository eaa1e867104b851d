//! hyper's pooled client as a client of the benchmarks (client.h): COUNT tasks
//! of one thread, each with one request after another.
use std::future::Future;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Instant;

use hyper::body::HttpBody;
use hyper::client::connect::Connect;
use hyper::client::HttpConnector;
use hyper::{Client, StatusCode, Uri};
use hyper_tls::HttpsConnector;
use native_tls::{Certificate, TlsConnector};

type Error = Box<dyn std::error::Error + Send + Sync>;

fn cpu_us() -> f64 {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) as f64 * 1e6
        + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) as f64
}

fn resident_kib() -> Result<i64, Error> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).ok_or("statm is short")?;
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Ok(pages.parse::<i64>()? * page_bytes / 1024)
}

async fn get<C>(client: &Client<C>, uri: &Uri) -> Result<(), Error>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let mut response = client.get(uri.clone()).await?;
    if response.status() != StatusCode::OK {
        return Err("status is not 200".into());
    }
    while let Some(data) = response.body_mut().data().await {
        data?;
    }
    Ok(())
}

// Spawned, even one alone: to wake the future of block_on costs a system call.
async fn run<C>(
    client: &Client<C>,
    uri: &Uri,
    total: isize,
    count: usize,
) -> Result<(), Error>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let left = Arc::new(AtomicIsize::new(total));
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (client, uri, left) =
                (client.clone(), uri.clone(), left.clone());
            tokio::spawn(async move {
                while left.fetch_sub(1, Relaxed) > 0 {
                    get(&client, &uri).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

async fn measure<C>(
    connector: C,
    uri: Uri,
    requests: isize,
    count: usize,
) -> Result<(), Error>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let client = Client::builder()
        .pool_max_idle_per_host(count)
        .build(connector);
    run(&client, &uri, (requests / 10).max(count as isize), count).await?;
    let (cpu, wall) = (cpu_us(), Instant::now());
    run(&client, &uri, requests, count).await?;
    let (cpu, wall) = (cpu_us() - cpu, wall.elapsed());
    println!(
        "{requests} {:.4} {:.4} {}",
        cpu / requests as f64,
        wall.as_secs_f64() * 1e6 / requests as f64,
        resident_kib()?
    );
    Ok(())
}

fn block_on<F>(future: F) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(future)
}

fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let uri: Uri = args.next().ok_or("no URL")?.parse()?;
    let requests = args.next().ok_or("no REQUESTS")?.parse()?;
    let ca_file = args.next().filter(|name| name != "-");
    let count = args.next().map_or(Ok(64), |text| text.parse())?;
    let mut tcp = HttpConnector::new();

    tcp.set_nodelay(true);
    if let Some(ca_file) = ca_file {
        let ca = Certificate::from_pem(&std::fs::read(ca_file)?)?;
        let tls = TlsConnector::builder().add_root_certificate(ca).build()?;

        tcp.enforce_http(false);
        let https = HttpsConnector::from((tcp, tls.into()));
        return block_on(measure(https, uri, requests, count));
    }
    block_on(measure(tcp, uri, requests, count))
}
