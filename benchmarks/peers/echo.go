// An echo over TCP and UDP: a goroutine a connection. Usage: PORT
package main

import (
	"net"
	"os"
)

func datagrams(address string) {
	local, _ := net.ResolveUDPAddr("udp", address)
	conn, err := net.ListenUDP("udp", local)
	if err != nil {
		panic(err)
	}
	buffer := make([]byte, 65536)
	for {
		// The kind that allocates nothing for the address.
		n, peer, err := conn.ReadFromUDPAddrPort(buffer)
		if err == nil {
			conn.WriteToUDPAddrPort(buffer[:n], peer)
		}
	}
}

// A plain copy: io.Copy would use splice(2), which is slower for small messages.
func echo(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, 64*1024)
	for {
		n, err := conn.Read(buffer)
		if n > 0 {
			if _, err := conn.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func main() {
	address := "127.0.0.1:" + os.Args[1]
	go datagrams(address)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		panic(err)
	}
	for {
		conn, err := listener.Accept()
		if err == nil {
			go echo(conn)
		}
	}
}
