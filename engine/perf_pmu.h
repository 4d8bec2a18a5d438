/* SPDX-License-Identifier: Apache-2.0 */
/* Perf PMU: kinds of perf events that are numbered at boot, from
 * /sys/bus/event_source/devices/NAME (Documentation/ABI/testing/sysfs-bus-event_source-devices-*).
 */
#ifndef MOONPROBE_PERF_PMU_H
#define MOONPROBE_PERF_PMU_H

/* perf_event_attr.type, or -errno: this kernel has none of that name. */
int perf_pmu_type(const char *name);

/* The bit of perf_event_attr.config that a format names; 0 when it does not say. */
int perf_pmu_bit(const char *name, const char *format);

#endif
