// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The name and UUID of a VM in the command line of its VMM */
#include <stdlib.h>

#include "check.h"
#include "lib/util.h"
#include "vm/vm.h"
#include "vm/vmm.h"

#define NAME_SIZE (4 * VM_NAME_MAX + 1)
#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Arguments separated by '|' here, ended by 0 there */
static void test_parse_name(void)
{
	static const struct {
		const char *cmdline;
		const char *name; /* NULL: none */
	} cases[] = {
		/* QEMU by hand */
		{ "qemu-system-x86_64|-name|web1", "web1" },
		{ "/usr/bin/qemu-system-x86_64|-m|1G|-name|web1|-smp|2", "web1" },
		{ "qemu-system-x86_64|--name|web1", "web1" },
		{ "/usr/libexec/qemu-kvm|-name|web1", "web1" },
		{ "/usr/bin/kvm|-name|web1", "web1" },
		{ "qemu-system-x86_64|-name|web 1", "web 1" },
		{ "qemu-system-x86_64|-name|guest=web1", "web1" },
		{ "qemu-system-x86_64|-name|web1,process=p", "web1" },
		{ "qemu-system-x86_64|-name|web1,debug-threads=on", "web1" },
		{ "qemu-system-x86_64|-name|guest=web1,process=p,debug-threads=on", "web1" },
		{ "qemu-system-x86_64|-name|process=p,guest=web1", "web1" },
		{ "qemu-system-x86_64|-name|debug-threads=on,process=p,guest=web1", "web1" },
		{ "qemu-system-x86_64|-name|process=guest,guest=web1", "web1" },
		{ "qemu-system-x86_64|-name|process=a,,guest=b,guest=web1", "web1" },
		{ "qemu-system-x86_64|-name|a,,b", "a,b" },
		{ "qemu-system-x86_64|-name|guest=a,,b,process=p", "a,b" },
		{ "qemu-system-x86_64|-name|guest=,,,,,debug-threads=on", ",," },
		{ "qemu-system-x86_64|-name|guest=a=b", "a=b" },
		{ "qemu-system-x86_64|-name|guest=guest=b", "guest=b" },
		{ "qemu-system-x86_64|-name|b\xc3\xbc\xc3\xbc", "b\xc3\xbc\xc3\xbc" },
		{ "qemu-system-x86_64|-name|b\xc3", "b\xef\xbf\xbd" },
		{ "qemu-system-x86_64|-name|guest=" A64 "b", A64 },
		{ "qemu-system-x86_64|-name|" A64, A64 },
		{ "qemu-system-x86_64|-name|process=p", NULL },
		{ "qemu-system-x86_64|-name|debug-threads=on", NULL },
		{ "qemu-system-x86_64|-name|", NULL },
		{ "qemu-system-x86_64|-name|guest=", NULL },
		{ "qemu-system-x86_64|-name", NULL },
		{ "qemu-system-x86_64|-m|1G", NULL },
		{ "qemu-system-x86_64|-names|web1", NULL },
		{ "qemu-system-x86_64|-name=web1", NULL },
		{ "qemu-system-x86_64|name|web1", NULL },
		{ "qemu-system-x86_64", NULL },
		/* libvirt */
		{ "/usr/bin/qemu-system-x86_64|-name|guest=web1,debug-threads=on|-S|-object|"
		  "{\"qom-type\":\"secret\",\"id\":\"masterKey0\"}|-uuid|"
		  "c7a5fdbd-edaf-9455-926a-d65c16db1809|-no-user-config",
		  "web1" },
		/* Firecracker, also by its jailer */
		{ "firecracker|--api-sock|/tmp/f.sock|--id|anonymous-instance", "f" },
		{ "/usr/bin/firecracker|--id=551e7604-e35c-42b3-b825-416853441234|"
		  "--start-time-us=1",
		  "551e7604-e35c-42b3-b825-416853441234" },
		{ "firecracker-v1.16.1-x86_64|--id|f1|--no-api", "f1" },
		{ "firecracker|--id", NULL },
		{ "firecracker|--id=", NULL },
		{ "firecracker|--identity|x", NULL },
		{ "firecracker|--no-api", NULL },
		/* Cloud Hypervisor has no name: that of its socket */
		{ "cloud-hypervisor|--api-socket|/run/ch/vm1.sock|--kernel|/k", "vm1" },
		{ "/usr/bin/cloud-hypervisor|--api-socket=/run/vm2.sock", "vm2" },
		{ "cloud-hypervisor|--api-socket|path=/run/ch/vm3.sock", "vm3" },
		{ "cloud-hypervisor|--api-socket|vm4", "vm4" },
		{ "cloud-hypervisor|--api-socket|a.b.sock", "a.b" },
		{ "cloud-hypervisor|--api-socket|/run/.hidden", ".hidden" },
		{ "cloud-hypervisor|--api-socket|/run/.sock", ".sock" },
		{ "cloud-hypervisor|--api-socket|path=vm5.sock", "vm5" },
		{ "cloud-hypervisor|--api-socket|/run/ch/web.1", "web.1" },
		{ "cloud-hypervisor|--api-socket|/tmp/cloud-hypervisor.sock", NULL },
		{ "cloud-hypervisor|--api-socket|/home/joe/ch.sock", NULL },
		{ "cloud-hypervisor|--api-socket|/run/user/1000/ch-api.sock", NULL },
		{ "cloud-hypervisor|--api-socket|//clh//api.socket", NULL },
		{ "cloud-hypervisor|--api-socket|", NULL },
		{ "cloud-hypervisor|--api-socket|fd=3", NULL },
		{ "cloud-hypervisor|--kernel|/k", NULL },
		/* crosvm */
		{ "crosvm|run|--name|c1|-s|/run/other.sock", "c1" },
		{ "crosvm|run|-s|/run/c2.sock|vmlinux", "c2" },
		{ "/usr/bin/crosvm|run|--socket=/run/c3.sock", "c3" },
		{ "crosvm|run|--socket|/run/c4.sock", "c4" },
		{ "crosvm|run|vmlinux", NULL },
		/* kvmtool */
		{ "lkvm|run|--name|l1|-k|bzImage", "l1" },
		{ "/usr/bin/lkvm|run|-n|l2", "l2" },
		{ "lkvm|run|-k|bzImage", NULL },
		/* VirtualBox */
		{ "/usr/lib/virtualbox/VBoxHeadless|--comment|v1|--startvm|"
		  "c7a5fdbd-edaf-9455-926a-d65c16db1809|--vrde|config",
		  "v1" },
		{ "VBoxHeadless|--startvm|v2", "v2" },
		{ "/usr/lib/virtualbox/VirtualBoxVM|--comment|v3|--startvm|x", "v3" },
		/* Others, and paths that only contain such a name */
		{ "bash|-name|web1|--id|x|--name|y", NULL },
		{ "/opt/qemu/other|-name|web1", NULL },
		{ "my-firecracker|--id|x", NULL },
		{ "|-name|web1", NULL },
		{ "", NULL },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].cmdline) + 1;
		char *cmdline = malloc(len), name[NAME_SIZE] = "";
		bool found;

		memcpy(cmdline, cases[i].cmdline, len);
		for (k = 0; k < len; k++)
			if (cmdline[k] == '|')
				cmdline[k] = 0;
		found = vmm__parse_name(cmdline, len, name, sizeof(name));
		if (!CHECK_INT(found, !!cases[i].name) ||
		    (found && !CHECK_STR(name, cases[i].name)))
			fprintf(stderr, "\tin %s\n", cases[i].cmdline);
		free(cmdline);
	}
}

#define UUID "550e8400-e29b-11d4-a716-446655440000"
#define ID64 "5cbcf744949d8500e7159d6bd1e3894211f475549c0be15d9c60d3c502c7ede3"

/*
 * Command lines of launchers, as their documentation and reports in public show them, cut to
 * what matters. Where a path, an id or a fixed word is the same for all VMs of a launcher, it
 * is no name.
 */
static void test_launchers(void)
{
	static const struct {
		const char *source, *cmdline;
		const char *name; /* NULL: none */
		const char *vmm;
	} cases[] = {
		{ "Kata, QEMU: github.com/kata-containers/kata-containers/issues/4118",
		  "/opt/kata/bin/qemu-system-x86_64|-name|sandbox-" ID64 "|-uuid|"
		  "fa535631-81c2-4962-a5ce-095aa5e5b7aa|-machine|q35,accel=kvm",
		  "sandbox-5cbcf744949d8500e7159d6bd1e3894211f475549c0be15d9c60d3c5", "qemu" },
		{ "Kata, Cloud Hypervisor: src/runtime/virtcontainers/clh.go (clhAPISocket)",
		  "/opt/kata/bin/cloud-hypervisor|--api-socket|/run/vc/vm/" ID64 "/clh-api.sock",
		  ID64, "cloud-hypervisor" },
		{ "Kata, Cloud Hypervisor, a report in public of ps(1)",
		  "/opt/kata/bin/cloud-hypervisor|--api-socket|/run/kata/" ID64 "/ch-api.sock",
		  ID64, "cloud-hypervisor" },
		{ "Kata, Firecracker with its jailer",
		  "/firecracker|--id|" ID64 "|--start-time-us|1|--start-time-cpu-us|1|"
		  "--parent-cpu-time-us|1|--config-file|/fcConfig.json",
		  ID64, "firecracker" },
		{ "Kata, Firecracker alone: ps(1) in the documentation of vAccel for Kata",
		  "/opt/kata/bin/firecracker|--api-sock|"
		  "/run/vc/firecracker/ubuntu-kata-fc-vaccel/root/run/firecracker.socket|"
		  "--config-file|/run/vc/firecracker/ubuntu-kata-fc-vaccel/root/fcConfig.json",
		  "ubuntu-kata-fc-vaccel", "firecracker" },
		{ "Kata, Dragonball (in the shim): kata-containers, docs/how-to",
		  "/opt/kata/bin/containerd-shim-kata-v2|-namespace|k8s.io|-address|"
		  "/run/containerd/containerd.sock|-publish-binary|/usr/bin/containerd|-id|" ID64,
		  ID64, "dragonball" },
		{ "Kata, StratoVirt: kata-containers, docs/how-to/how-to-use-kata-containers-with-"
		  "stratovirt",
		  "/usr/bin/stratovirt|-name|sandbox-b1|-device|vhost-vsock-pci,id=vsock-395568061",
		  "sandbox-b1", "stratovirt" },
		{ "StratoVirt: docs/config_guidebook.md, docs/quickstart.md",
		  "/usr/bin/stratovirt|-machine|microvm|-name|vm1|-qmp|"
		  "unix:/tmp/stratovirt.socket,server,nowait|-uuid|" UUID,
		  "vm1", "stratovirt" },
		{ "Firecracker's jailer: docs/jailer.md",
		  "/firecracker|--id=551e7604-e35c-42b3-b825-416853441234|--start-time-us=1|"
		  "--start-time-cpu-us=1|--api-sock=/run/my_api_socket.sock",
		  "551e7604-e35c-42b3-b825-416853441234", "firecracker" },
		{ "Firecracker: docs/getting-started.md",
		  "./firecracker|--api-sock|/tmp/firecracker.socket|--enable-pci", NULL,
		  "firecracker" },
		{ "several by hand: a path for each",
		  "firecracker|--api-sock|/tmp/firecracker3.socket", "firecracker3",
		  "firecracker" },
		{ "Ignite, fcm and others: a directory for each",
		  "/usr/local/bin/firecracker|--api-sock|/var/lib/fcm/vms/dev-box/fc.socket",
		  "dev-box", "firecracker" },
		{ "Cloud Hypervisor: docs/api.md",
		  "cloud-hypervisor|--api-socket|path=/tmp/cloud-hypervisor.sock", NULL,
		  "cloud-hypervisor" },
		{ "libvirt's ch driver: src/ch/ch_monitor.c (socketpath, --event-monitor)",
		  "/usr/bin/cloud-hypervisor|-vv|--api-socket|fd=28|--event-monitor|"
		  "path=/run/libvirt/ch/web1-event-monitor-fifo",
		  "web1", "cloud-hypervisor" },
		{ "its older form", "cloud-hypervisor|--api-socket|/run/libvirt/ch/web1-socket",
		  "web1", "cloud-hypervisor" },
		{ "Kuasar: a file descriptor, and no name",
		  "cloud-hypervisor|--api-socket|fd=3|--console|null|--event-monitor|fd=4", NULL,
		  "cloud-hypervisor" },
		{ "Cuttlefish: crosvm_manager.cpp",
		  "/opt/bin/crosvm|--extended-status|run|"
		  "--socket=/tmp/cf_avd_1000/cvd-1/internal/crosvm_control.sock|--mem=4096",
		  "cvd-1", "crosvm" },
		{ "ChromeOS: vm_tools, a directory for each",
		  "/usr/bin/crosvm|run|--cpus|4|-s|/run/vm/vm.Ucaif1/crosvm.sock", "vm.Ucaif1",
		  "crosvm" },
		{ "crosvm: book, Running a VM", "crosvm|run|-s|/run/crosvm.sock|vmlinux", NULL,
		  "crosvm" },
		{ "kvmtool: Documentation/kvmtool.1",
		  "lkvm|run|-k|bzImage|--name|rkt-8d4ce168-6825-4fbb-b52b-738a3c891a9d",
		  "rkt-8d4ce168-6825-4fbb-b52b-738a3c891a9d", "kvmtool" },
		{ "the same by another name", "/usr/bin/kvmtool|run|--name|foo|-c|1", "foo",
		  "kvmtool" },
		{ "Proxmox VE", "/usr/bin/kvm|-id|102|-name|win7-01,debug-threads=on|-no-shutdown",
		  "win7-01", "qemu" },
		{ "Proxmox VE, a VM without a name",
		  "/usr/bin/kvm|-id|103|-chardev|socket,id=qmp,path=/var/run/qemu-server/103.qmp",
		  "103", "qemu" },
		{ "KubeVirt: github.com/kubevirt/kubevirt/issues/6567",
		  "/usr/libexec/qemu-kvm|-name|guest=default_testvm-2,debug-threads=on|-S",
		  "default_testvm-2", "qemu" },
		{ "Nova: ps(1) in its bug reports",
		  "/usr/bin/qemu-system-x86_64|-name|guest=instance-00000002,debug-threads=on|-S",
		  "instance-00000002", "qemu" },
		{ "LXD, Incus: the error that `lxc start` prints",
		  "/snap/lxd/24918/bin/qemu-system-x86_64|-S|-name|juju-lxd|-uuid|"
		  "83a8be7b-f64f-4537-9a3f-8d1af7edaf1c|-daemonize|-cpu|host",
		  "juju-lxd", "qemu" },
		{ "gVisor: github.com/google/gvisor/issues/9011",
		  "runsc-sandbox|--root=/run/containerd/runsc/k8s.io|--log-fd=3|boot|"
		  "--bundle=/run/containerd/io.containerd.runtime.v2.task/k8s.io/b1|--io-fds=6|"
		  "--stdio-fds=13|" ID64,
		  ID64, "gvisor" },
	};
	char cmdline[512], name[NAME_SIZE], *p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].cmdline) + 1;
		bool found, ok;

		memcpy(cmdline, cases[i].cmdline, len);
		for (p = cmdline; (p = memchr(p, '|', cmdline + len - p));)
			*p = 0;
		found = vmm__parse_name(cmdline, len, name, sizeof(name));
		ok = CHECK_STR(found ? name : NULL, cases[i].name);
		ok &= CHECK_STR(vmm__of(cmdline), cases[i].vmm);
		if (!ok)
			fprintf(stderr, "\tof %s\n", cases[i].source);
	}
}

static void test_parse_uuid(void)
{
	static const struct {
		const char *cmdline;
		const char *uuid; /* NULL: none */
	} cases[] = {
		{ "qemu-system-x86_64|-uuid|" UUID, UUID },
		{ "/usr/bin/kvm|-name|x|-uuid|" UUID "|-smp|2", UUID },
		{ "qemu-system-x86_64|-uuid|550E8400-E29B-11D4-A716-446655440000", UUID },
		{ "qemu-system-x86_64|-smbios|type=1,uuid=" UUID ",serial=1", UUID },
		{ "qemu-system-x86_64|-smbios|uuid=" UUID, UUID },
		{ "qemu-system-x86_64|-smbios|type=1,xuuid=" UUID, NULL },
		{ "cloud-hypervisor|--platform|num_pci_segments=1,uuid=" UUID, UUID },
		{ "cloud-hypervisor|--platform=uuid=" UUID, UUID },
		{ "cloud-hypervisor|--uuid|" UUID, NULL },
		{ "firecracker|--id|" UUID, UUID },
		{ "firecracker|--id|web1", NULL },
		{ "crosvm|run|--smbios|bios-vendor=x,uuid=" UUID, UUID },
		{ "VBoxHeadless|--startvm|" UUID, UUID },
		{ "qemu-system-x86_64|-uuid|550e8400", NULL },
		{ "qemu-system-x86_64|-uuid|" UUID "0", NULL },
		{ "qemu-system-x86_64|-uuid|550e8400xe29b-11d4-a716-446655440000", NULL },
		{ "qemu-system-x86_64|-uuid|550e8400-e29b-11d4-a716-44665544000g", NULL },
		{ "qemu-system-x86_64|-uuid|", NULL },
		{ "qemu-system-x86_64|-uuid", NULL },
		{ "other|-uuid|" UUID, NULL },
	};
	char cmdline[256], uuid[VM_UUID_SIZE], *p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].cmdline) + 1;
		bool found;

		memcpy(cmdline, cases[i].cmdline, len);
		for (p = cmdline; (p = memchr(p, '|', cmdline + len - p));)
			*p = 0;
		found = vmm__parse_uuid(cmdline, len, uuid, sizeof(uuid));
		if (!CHECK_STR(found ? uuid : NULL, cases[i].uuid))
			fprintf(stderr, "\tin %s\n", cases[i].cmdline);
	}
	memcpy(cmdline, "qemu\0-uuid\0" UUID, 48);
	CHECK(!vmm__parse_uuid(cmdline, 48, uuid, sizeof(uuid) - 1));
}

static void test_parse_name_limits(void)
{
	static const char line[] = "qemu\0-name\0web1";
	char name[NAME_SIZE] = "untouched", tight[4], *cmdline;
	size_t len;

	/* Nothing at all, and no 0 at the end, wherever it is cut */
	CHECK(!vmm__parse_name("", 0, name, sizeof(name)));
	for (len = 1; len < sizeof(line); len++) {
		cmdline = malloc(len); /* exactly: valgrind and ASan see what is behind */
		memcpy(cmdline, line, len);
		if (!CHECK_INT(vmm__parse_name(cmdline, len, name, sizeof(name)), false))
			fprintf(stderr, "\tat %zu bytes\n", len);
		free(cmdline);
	}
	CHECK(vmm__parse_name(line, sizeof(line), name, sizeof(name)));
	CHECK_STR(name, "web1");
	/* A name of a megabyte, each comma of it doubled */
	len = 1 << 20;
	cmdline = malloc(len);
	memset(cmdline, ',', len);
	memcpy(cmdline, "qemu\0-name\0guest=", 17);
	cmdline[len - 1] = 0;
	CHECK(vmm__parse_name(cmdline, len, name, sizeof(name)));
	CHECK_INT(strlen(name), VM_NAME_MAX);
	CHECK_INT(strspn(name, ","), VM_NAME_MAX);
	/* A long line with the name at its very end */
	memset(cmdline, 'x', len);
	cmdline[4] = 0;
	memcpy(cmdline, "qemu", 4);
	memcpy(cmdline + len - 11, "\0-name\0end", 11);
	CHECK(vmm__parse_name(cmdline, len, name, sizeof(name)));
	CHECK_STR(name, "end");
	free(cmdline);
	CHECK(vmm__parse_name(line, sizeof(line), tight, sizeof(tight)));
	CHECK_STR(tight, "web");
}

/* The VMM by its program, and by its name in a record */
static void test_names(void)
{
	CHECK_STR(vmm__of("/usr/bin/qemu-system-x86_64"), "qemu");
	CHECK_STR(vmm__of("VirtualBoxVM"), "virtualbox");
	CHECK_STR(vmm__of("/opt/guest"), "other");
	CHECK_STR(vmm__named("kvmtool"), "kvmtool");
	CHECK_STR(vmm__named("lkvm"), "other");
	CHECK(vmm__named("qemu") == vmm__of("kvm"));
}

int main(void)
{
	test_parse_name();
	test_launchers();
	test_parse_uuid();
	test_parse_name_limits();
	test_names();
	return check__report("vmm");
}
