/* weir bench: figures of all rounds, as a table and as JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const char *const mode_names[MODES] = {"pooled", "unpooled"};

/* What the pool must save for the closing line to say yes. */
#define ENOUGH_PERCENT 15.0

struct summary {
    double mean, p50, p90, p99, max; /* seconds */
    double per_second;
    double cpu; /* seconds a request */
    long memory;
    double opened, reused; /* a run */
};

static int compare(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;

    return (left > right) - (left < right);
}

static double at_part(const double *sorted, size_t count, double part)
{
    const size_t index = (size_t)(part * (double)(count - 1) + 0.5);

    return sorted[index];
}

static struct summary summarise(const struct measured *measured, enum mode mode)
{
    const struct run *runs = measured->runs[mode];
    const size_t rounds = (size_t)measured->rounds;
    const size_t total = rounds * runs[0].count;
    double *all = cli_alloc(total * sizeof *all);
    struct summary sum = {0};
    double wall = 0;
    size_t at = 0;

    for (size_t i = 0; i < rounds; i++) {
        memcpy(all + at, runs[i].latencies, runs[i].count * sizeof *all);
        at += runs[i].count;
        wall += runs[i].wall;
        sum.cpu += runs[i].cpu / (double)total;
        sum.opened += (double)runs[i].opened / (double)rounds;
        sum.reused += (double)runs[i].reused / (double)rounds;
        sum.memory = runs[i].memory > sum.memory ? runs[i].memory : sum.memory;
    }
    qsort(all, total, sizeof *all, compare);
    for (size_t i = 0; i < total; i++)
        sum.mean += all[i] / (double)total;
    sum.p50 = at_part(all, total, 0.50);
    sum.p90 = at_part(all, total, 0.90);
    sum.p99 = at_part(all, total, 0.99);
    sum.max = all[total - 1];
    sum.per_second = (double)total / wall;
    free(all);
    return sum;
}

double saved_percent(const struct measured *measured, long round)
{
    const double with = measured->runs[MODE_POOLED][round].wall;
    const double without = measured->runs[MODE_UNPOOLED][round].wall;

    return 100 * (without - with) / without;
}

struct spread {
    double median, min, max;
};

static struct spread saved_spread(const struct measured *measured)
{
    const size_t rounds = (size_t)measured->rounds;
    double *saved = cli_alloc(rounds * sizeof *saved);
    struct spread spread;

    for (size_t i = 0; i < rounds; i++)
        saved[i] = saved_percent(measured, (long)i);
    qsort(saved, rounds, sizeof *saved, compare);
    spread = (struct spread){(saved[rounds / 2] + saved[(rounds - 1) / 2]) / 2,
                             saved[0], saved[rounds - 1]};
    free(saved);
    return spread;
}

void report_table(const struct measured *measured, FILE *out)
{
    const struct scenario *scenario = measured->scenario;
    const struct spread saved = saved_spread(measured);

    fprintf(out, "\n%s: %s\n", scenario->name, scenario->summary);
    fprintf(out,
            "  %-9s %8s %8s %8s %8s %8s  %9s %8s %8s %7s %7s\n"
            "  %-9s %8s %8s %8s %8s %8s  %9s %8s %8s %7s %7s\n",
            "", "mean", "p50", "p90", "p99", "max", "requests", "CPU us",
            "peak", "opened", "reused", "", "ms", "ms", "ms", "ms", "ms", "/s",
            "/request", "KiB", "/run", "/run");
    for (int mode = 0; mode < MODES; mode++) {
        const struct summary sum = summarise(measured, (enum mode)mode);

        fprintf(out,
                "  %-9s %8.3f %8.3f %8.3f %8.3f %8.3f  %9.0f %8.1f %8ld "
                "%7.1f %7.1f\n",
                mode_names[mode], sum.mean * 1e3, sum.p50 * 1e3, sum.p90 * 1e3,
                sum.p99 * 1e3, sum.max * 1e3, sum.per_second, sum.cpu * 1e6,
                sum.memory, sum.opened, sum.reused);
    }
    fprintf(out,
            "  the pool saves %.1f %% of the time (rounds: %.1f to %.1f %%)\n",
            saved.median, saved.min, saved.max);
}

void report_verdict(const struct measured *measured, FILE *out)
{
    const struct spread saved = saved_spread(measured);

    fprintf(out, "%s %s (%.1f %%)", measured->scenario->name,
            saved.median >= ENOUGH_PERCENT ? "yes" : "NO", saved.median);
}

static json_t *mode_json(const struct measured *measured, enum mode mode)
{
    const struct summary sum = summarise(measured, mode);
    json_t *rounds = json_array();

    for (long i = 0; i < measured->rounds; i++) {
        const struct run *run = &measured->runs[mode][i];
        json_t *latencies = json_array();

        for (size_t j = 0; j < run->count; j++)
            json_array_append_new(latencies, json_real(run->latencies[j]));
        json_array_append_new(
            rounds,
            json_pack("{s:f, s:f, s:i, s:I, s:I, s:o}", "wall_s", run->wall,
                      "cpu_s", run->cpu, "peak_kib", (int)run->memory, "opened",
                      (json_int_t)run->opened, "reused",
                      (json_int_t)run->reused, "latencies_s", latencies));
    }
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:f, s:f, s:o}",
                     "mean_s", sum.mean, "p50_s", sum.p50, "p90_s", sum.p90,
                     "p99_s", sum.p99, "max_s", sum.max, "requests_per_s",
                     sum.per_second, "cpu_s_per_request", sum.cpu, "peak_kib",
                     (int)sum.memory, "opened_per_run", sum.opened,
                     "reused_per_run", sum.reused, "rounds", rounds);
}

static json_t *scenario_json(const struct measured *measured)
{
    const struct scenario *scenario = measured->scenario;
    const struct spread saved = saved_spread(measured);

    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:{s:f, s:f, s:f}, s:b}",
                     "name", scenario->name, "summary", scenario->summary,
                     "requests", (json_int_t)scenario->requests, "concurrency",
                     (json_int_t)scenario->concurrency, "pooled",
                     mode_json(measured, MODE_POOLED), "unpooled",
                     mode_json(measured, MODE_UNPOOLED), "saved_percent",
                     "median", saved.median, "min", saved.min, "max", saved.max,
                     "is_15_percent", saved.median >= ENOUGH_PERCENT);
}

void report_json(const struct measured *measured, size_t count, FILE *out)
{
    json_t *scenarios = json_array();
    json_t *root;

    for (size_t i = 0; i < count; i++)
        json_array_append_new(scenarios, scenario_json(&measured[i]));
    root =
        json_pack("{s:s, s:s, s:I, s:o}", "version", weir_version(), "driver",
                  bench_driver_names[measured[0].scenario->driver], "rounds",
                  (json_int_t)measured[0].rounds, "scenarios", scenarios);
    json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    fputc('\n', out);
    json_decref(root);
}
