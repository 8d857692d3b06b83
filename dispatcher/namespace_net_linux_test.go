package dispatcher_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// isolatedFiles replace those of the machine: what looks names up asks our name
// server, and nobody else.
var isolatedFiles = map[string]string{
	"/etc/resolv.conf":   "nameserver 127.0.0.1\nsearch " + searchDomain + "\noptions ndots:5\n",
	"/etc/nsswitch.conf": "hosts: files dns\n",
	"/etc/hosts":         "127.0.0.1 localhost\n::1 localhost\n" + hostsFileAddress + " " + hostsFileName + "\n",
}

// isolate makes every address of the new network local, and mounts the files.
func isolate(dir string) error {
	if err := onlyLoopback(); err != nil {
		return err
	}
	up := syscall.IfInfomsg{Family: syscall.AF_UNSPEC, Index: loopbackIndex, Flags: syscall.IFF_UP, Change: syscall.IFF_UP}
	if err := netlink(syscall.RTM_NEWLINK, up); err != nil {
		return fmt.Errorf("loopback up: %w", err)
	}
	for _, family := range []uint8{syscall.AF_INET, syscall.AF_INET6} {
		if err := everyAddressIsLocal(family); err != nil {
			return fmt.Errorf("route of family %d: %w", family, err)
		}
	}
	return mountFiles(dir)
}

// loopbackIndex is the index of the first interface of every network namespace.
const loopbackIndex = 1

// onlyLoopback errs where this is not a fresh namespace: nothing must ever leave it.
func onlyLoopback() error {
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range interfaces {
		if i.Index != loopbackIndex && i.Flags&net.FlagUp != 0 {
			return fmt.Errorf("interface %s is up: not a network of its own", i.Name)
		}
	}
	return nil
}

// everyAddressIsLocal does what "ip route add local default dev lo" does.
func everyAddressIsLocal(family uint8) error {
	return netlink(syscall.RTM_NEWROUTE,
		syscall.RtMsg{
			Family: family, Table: syscall.RT_TABLE_LOCAL, Type: syscall.RTN_LOCAL,
			Scope: syscall.RT_SCOPE_HOST, Protocol: syscall.RTPROT_BOOT,
		},
		syscall.RtAttr{Len: syscall.SizeofRtAttr + 4, Type: syscall.RTA_OIF}, uint32(loopbackIndex))
}

// netlink sends the kernel one message and waits for its acknowledgement.
func netlink(kind uint16, parts ...any) error {
	var body []byte
	for _, part := range parts {
		var err error
		if body, err = binary.Append(body, binary.NativeEndian, part); err != nil {
			return err
		}
	}
	head := syscall.NlMsghdr{
		Len: uint32(syscall.SizeofNlMsghdr + len(body)), Type: kind, Seq: 1,
		Flags: syscall.NLM_F_REQUEST | syscall.NLM_F_ACK | syscall.NLM_F_CREATE,
	}
	message, err := binary.Append(nil, binary.NativeEndian, head)
	if err != nil {
		return err
	}
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	if err := syscall.Sendto(socket, append(message, body...), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return err
	}
	return acknowledged(socket)
}

func acknowledged(socket int) error {
	buf := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(socket, buf, 0)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseNetlinkMessage(buf[:n])
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.Header.Type != syscall.NLMSG_ERROR {
			continue
		}
		if code := int32(binary.NativeEndian.Uint32(m.Data)); code != 0 {
			return syscall.Errno(-code)
		}
		return nil
	}
	return fmt.Errorf("the kernel did not acknowledge")
}

// mountFiles puts the files over the machine's, as this process alone sees them.
func mountFiles(dir string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	for path, text := range isolatedFiles {
		ours := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(ours, []byte(text), 0o644); err != nil {
			return err
		}
		err := syscall.Mount(ours, path, "", syscall.MS_BIND, "")
		if os.IsNotExist(err) && path != "/etc/resolv.conf" {
			continue // what is not there is not read
		}
		if err != nil {
			return fmt.Errorf("mount over %s: %w", path, err)
		}
	}
	return nil
}
