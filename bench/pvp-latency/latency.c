/* SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * The host's side of a DPDK vhost-user path that measures latency: paces frames into a vhost port and
 * reads them when they come back, on one core, as testpmd would forward them.
 *
 *   latency [EAL options] -- SIZE        (SIZE without FCS)
 *
 * Reads a trial a line from standard input, "RATE WARM_UP SECONDS" (frames/s, seconds, seconds), and answers
 * with a line:
 *
 *   trial HZ DUE LATE LOST RECEIVED CELL:COUNT,...
 *
 * DUE frames were due after the warm-up, of which LATE were given up since the core came too late for them, and
 * LOST did not come back (the vhost ring refused them, or they went missing). Latencies are from the
 * instant a frame was due to the instant it was read, in ticks of the TSC (HZ a second), by cells: see cell().
 * Must never wait on the way of a frame.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define BURST 64
#define DESCRIPTORS 1024
#define MBUFS 8191
#define MBUF_CACHE 256
#define BACKLOG 4096   /* frames that are caught up after a stall: a NIC's ring */
#define STAMP_AT 16    /* 8 octets: the instant a frame was due */
#define MARK_AT 24     /* 4 octets: the trial that a frame is measured in, 0 for none */
#define CELL_BITS 6    /* 64 cells for each doubling */
#define CELLS (64 << CELL_BITS)

static uint64_t cells[CELLS];
static uint8_t template[2048] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, 0x20};
static uint8_t out[2048];

/* Below 64 the value itself, above its exponent and 6 bits of its mantissa. */
static unsigned cell(uint64_t value)
{
	unsigned top;

	if (value < (1u << CELL_BITS))
		return value;
	top = 63 - __builtin_clzll(value);
	return ((top - CELL_BITS + 1) << CELL_BITS) + ((value >> (top - CELL_BITS)) & ((1u << CELL_BITS) - 1));
}

struct trial {
	uint64_t due, late, lost, received;
};

/* Takes what came back; frames of other trials are only copied out. */
static unsigned receive(uint16_t port, uint16_t octets, uint32_t mark, struct trial *trial)
{
	struct rte_mbuf *burst[BURST];
	uint16_t i, n = rte_eth_rx_burst(port, 0, burst, BURST);

	for (i = 0; i < n; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(burst[i], const uint8_t *);
		uint64_t stamp, now;
		uint32_t marked;

		if (i + 4 < n)
			rte_prefetch0(rte_pktmbuf_mtod(burst[i + 4], const void *));
		memcpy(&stamp, frame + STAMP_AT, sizeof(stamp));
		memcpy(&marked, frame + MARK_AT, sizeof(marked));
		memcpy(out, frame, octets);
		if (marked != mark || mark == 0)
			continue;
		now = rte_rdtsc();
		trial->received++;
		cells[cell(now > stamp ? now - stamp : 0)]++;
	}
	if (n)
		rte_pktmbuf_free_bulk(burst, n);
	return n;
}

static struct trial run(uint16_t port, struct rte_mempool *pool, uint16_t octets, uint32_t mark, double rate, double warm_up,
			double seconds)
{
	const uint64_t hz = rte_get_tsc_hz();
	const uint64_t step = (uint64_t)((double)hz / rate * 65536.0); /* 16 fraction bits */
	const uint64_t patience = (step * BACKLOG) >> 16;
	const uint64_t start = rte_rdtsc() + hz / 1000;
	const uint64_t from = start + (uint64_t)(warm_up * (double)hz);
	const uint64_t end = from + (uint64_t)(seconds * (double)hz);
	struct trial trial = {0};
	uint64_t next = 0; /* since start, 16 fraction bits */
	uint64_t quiet, idle_since;

	memset(cells, 0, sizeof(cells));
	for (;;) {
		struct rte_mbuf *burst[BURST];
		uint64_t now = rte_rdtsc(), due = start + (next >> 16);
		uint16_t n = 0, taken;

		if (due >= end)
			break;
		/* Given up: later than the backlog. */
		while (due + patience < now && due < end) {
			if (due >= from) {
				trial.due++;
				trial.late++;
			}
			next += step;
			due = start + (next >> 16);
		}
		if (due <= now && due < end && rte_pktmbuf_alloc_bulk(pool, burst, BURST) == 0) {
			while (n < BURST && due <= now && due < end) {
				uint8_t *frame = rte_pktmbuf_mtod(burst[n], uint8_t *);
				uint32_t marked = due >= from ? mark : 0;

				memcpy(frame, template, octets);
				memcpy(frame + STAMP_AT, &due, sizeof(due));
				memcpy(frame + MARK_AT, &marked, sizeof(marked));
				burst[n]->data_len = octets;
				burst[n]->pkt_len = octets;
				trial.due += marked != 0;
				n++;
				next += step;
				due = start + (next >> 16);
			}
			taken = rte_eth_tx_burst(port, 0, burst, n);
			/* What was not taken did not go: it is missing in what is received. */
			rte_pktmbuf_free_bulk(burst + taken, BURST - taken);
		}
		receive(port, octets, mark, &trial);
	}
	/* What is under way comes in: until nothing came for 20 ms. */
	quiet = hz / 50;
	for (idle_since = rte_rdtsc(); rte_rdtsc() - idle_since < quiet;)
		if (receive(port, octets, mark, &trial))
			idle_since = rte_rdtsc();
	trial.lost = trial.due - trial.late - trial.received;
	return trial;
}

static void die(const char *what, int error)
{
	fprintf(stderr, "latency: %s: %s\n", what, rte_strerror(error < 0 ? -error : error));
	exit(1);
}

static void open_port(uint16_t port, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};
	int error;

	if ((error = rte_eth_dev_configure(port, 1, 1, &conf)))
		die("the port cannot be configured", error);
	if ((error = rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool)))
		die("no receive queue", error);
	if ((error = rte_eth_tx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL)))
		die("no transmit queue", error);
	if ((error = rte_eth_dev_start(port)))
		die("the port cannot be started", error);
}

int main(int argc, char **argv)
{
	struct rte_mempool *pool;
	struct rte_eth_link link = {0};
	char line[128];
	uint32_t mark = 0;
	unsigned i;
	int used = rte_eal_init(argc, argv);
	int octets;

	if (used < 0)
		die("the environment cannot be set up", rte_errno);
	octets = argc - used == 2 ? atoi(argv[used + 1]) : 0;
	if (octets < MARK_AT + 4 || octets > 1514) {
		fprintf(stderr, "latency: SIZE is from %d to 1514 octets, without FCS\n", MARK_AT + 4);
		return 2;
	}
	if (rte_eth_dev_count_avail() != 1) {
		fprintf(stderr, "latency: one device is expected (--vdev net_vhost0,...)\n");
		return 2;
	}
	pool = rte_pktmbuf_pool_create("frames", MBUFS, MBUF_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool)
		die("no memory for frames", rte_errno);
	open_port(0, pool);
	printf("listening\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		double rate, warm_up, seconds;
		struct trial trial;

		if (sscanf(line, "%lf %lf %lf", &rate, &warm_up, &seconds) != 3 || rate <= 0) {
			fprintf(stderr, "latency: a trial is RATE WARM_UP SECONDS\n");
			return 2;
		}
		for (i = 0; i < 5000 && link.link_status != RTE_ETH_LINK_UP; i++) {
			rte_eth_link_get_nowait(0, &link);
			rte_delay_us_sleep(1000);
		}
		if (link.link_status != RTE_ETH_LINK_UP) {
			fprintf(stderr, "latency: no guest came to the socket\n");
			return 1;
		}
		trial = run(0, pool, octets, ++mark, rate, warm_up, seconds);
		printf("trial %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " ", rte_get_tsc_hz(), trial.due, trial.late,
		       trial.lost, trial.received);
		for (i = 0; i < CELLS; i++)
			if (cells[i])
				printf("%u:%" PRIu64 ",", i, cells[i]);
		printf("\n");
		fflush(stdout);
	}
	return 0;
}
