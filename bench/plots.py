"""The pictures of the performance report, as SVG."""

import os

import matplotlib

matplotlib.use("svg")
# Text stays text, and one run's pictures differ from the next's by their data.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "weir",
                            "font.size": 10, "axes.grid": True,
                            "grid.alpha": 0.3, "axes.spines.top": False,
                            "axes.spines.right": False})

import matplotlib.pyplot as plt  # noqa: E402: after the choice of the backend

COLOURS = {"by hand": "#6b7280", "weir": "#2563eb", "libcurl": "#d97706",
           "by hand, io_uring": "#16a34a"}


def save(figure, folder, name):
    figure.tight_layout()
    figure.savefig(os.path.join(folder, name), metadata={"Date": None})
    plt.close(figure)
    return name


def lines(folder, name, rows, x_label, y_label, log_y=False):
    """rows: {label: {x: y}}."""
    figure, axes = plt.subplots(figsize=(7, 3.6))
    for label, row in rows.items():
        axes.plot(list(row), list(row.values()), marker="o", label=label,
                  color=COLOURS.get(label))
    axes.set_xscale("log")
    xs = list(next(iter(rows.values())))
    axes.set_xticks(xs, [f"{x:,}" for x in xs])
    axes.minorticks_off()
    if log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend(frameon=False)
    return save(figure, folder, name)


def distribution(folder, name, rows, x_label):
    """rows: {label: sorted values}; the share at or below each."""
    figure, axes = plt.subplots(figsize=(7, 3.6))
    for label, row in rows.items():
        shares = [100 * (i + 1) / len(row) for i in range(len(row))]
        axes.plot(row, shares, label=label, color=COLOURS.get(label))
    longest = max(row[len(row) * 98 // 100] for row in rows.values())
    axes.set_xlim(0, longest * 1.1)
    axes.set_ylim(0, 100)
    axes.set_xlabel(x_label)
    axes.set_ylabel("% of requests")
    axes.legend(frameon=False, loc="lower right")
    return save(figure, folder, name)


def bars(folder, name, rows, y_label):
    """rows: {group: {label: value}}, a bar for each label in each group."""
    figure, axes = plt.subplots(figsize=(7, 3.6))
    labels = list(next(iter(rows.values())))
    width = 0.8 / len(labels)
    for i, label in enumerate(labels):
        axes.bar([at + i * width for at in range(len(rows))],
                 [row[label] for row in rows.values()], width, label=label,
                 color=COLOURS.get(label))
    axes.set_xticks([at + 0.4 - width / 2 for at in range(len(rows))],
                    list(rows))
    axes.grid(axis="x", visible=False)
    axes.set_ylabel(y_label)
    axes.legend(frameon=False)
    return save(figure, folder, name)
