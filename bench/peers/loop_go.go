// net/http of Go as a client of the benchmarks (client.h): COUNT goroutines,
// each with one request after another.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func cpuMicroseconds() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e3
}

func run(client *http.Client, url string, total int64, count int) {
	var group sync.WaitGroup
	left := total
	for i := 0; i < count; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for atomic.AddInt64(&left, -1) >= 0 {
				response, err := client.Get(url)
				if err != nil || response.StatusCode != 200 {
					panic(err)
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		}()
	}
	group.Wait()
}

func main() {
	url := os.Args[1]
	requests, _ := strconv.ParseInt(os.Args[2], 10, 64)
	count := 64
	if len(os.Args) > 4 {
		count, _ = strconv.Atoi(os.Args[4])
	}
	transport := &http.Transport{MaxIdleConns: count, MaxIdleConnsPerHost: count}
	if len(os.Args) > 3 && os.Args[3] != "-" {
		pem, err := os.ReadFile(os.Args[3])
		if err != nil {
			panic(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	client := &http.Client{Transport: transport}
	run(client, url, requests/10+int64(count), count)
	cpu, wall := cpuMicroseconds(), time.Now()
	run(client, url, requests, count)
	fmt.Println(requests, (cpuMicroseconds()-cpu)/float64(requests),
		float64(time.Since(wall).Microseconds())/float64(requests), 0)
}
