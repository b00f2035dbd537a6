package mesos

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
)

// masterInfo is Mesos' MasterInfo message, as a master writes it into its znode: JSON since 0.24
// (znode json.info_N), a protobuf before (info_N).
type masterInfo struct {
	Address  masterAddress `json:"address"`
	Hostname string        `json:"hostname"`
	ID       string        `json:"id"`
	IP       uint32        `json:"ip"` // network byte order read as little endian
	PID      string        `json:"pid"`
	Port     int           `json:"port"`
	Version  string        `json:"version"`
}

type masterAddress struct {
	Hostname string `json:"hostname"`
	IP       string `json:"ip"`
	Port     int    `json:"port"`
}

func newMasterInfo(id, hostname, ip string, port int, v Version) masterInfo {
	m := masterInfo{Address: masterAddress{hostname, ip, port}, Hostname: hostname, ID: id,
		PID: "master@" + net.JoinHostPort(ip, fmt.Sprint(port)), Port: port, Version: v.String()}
	if v4 := net.ParseIP(ip).To4(); v4 != nil {
		m.IP = binary.LittleEndian.Uint32(v4)
	}
	return m
}

// hostPort is where the master answers.
func (m masterInfo) hostPort() string {
	return net.JoinHostPort(m.Address.IP, fmt.Sprint(m.Address.Port))
}

func (m masterInfo) encode(v Version) ([]byte, error) {
	if !v.old() {
		return json.Marshal(m)
	}
	var b []byte
	str := func(field uint64, s string) {
		b = binary.AppendUvarint(b, field<<3|2)
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	num := func(field, n uint64) {
		b = binary.AppendUvarint(b, field<<3)
		b = binary.AppendUvarint(b, n)
	}
	str(1, m.ID)
	num(2, uint64(m.IP))
	num(3, uint64(m.Port))
	str(4, m.PID)
	str(5, m.Hostname)
	return b, nil
}

// decodeMasterInfo reads what encode writes, and the same of a real master.
func decodeMasterInfo(data []byte) (masterInfo, error) {
	var m masterInfo
	if len(data) > 0 && data[0] == '{' {
		if err := json.Unmarshal(data, &m); err != nil {
			return m, fmt.Errorf("parse MasterInfo as JSON: %w", err)
		}
	} else if err := m.decodeProto(data); err != nil {
		return m, fmt.Errorf("parse MasterInfo as a protobuf: %w", err)
	}
	if m.Address.IP == "" {
		var ip [4]byte
		binary.LittleEndian.PutUint32(ip[:], m.IP)
		m.Address = masterAddress{m.Hostname, net.IP(ip[:]).String(), m.Port}
	}
	if m.Address.Port < 1 || m.Address.Port > 65535 || net.ParseIP(m.Address.IP) == nil {
		return m, fmt.Errorf("MasterInfo names no address: %q port %d", m.Address.IP, m.Address.Port)
	}
	return m, nil
}

func (m *masterInfo) decodeProto(b []byte) error {
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return fmt.Errorf("bad field number")
		}
		b = b[n:]
		value, n := binary.Uvarint(b)
		if n <= 0 {
			return fmt.Errorf("bad value of field %d", key>>3)
		}
		b = b[n:]
		var text string
		switch key & 7 {
		case 0:
		case 2:
			if value > uint64(len(b)) {
				return fmt.Errorf("field %d is cut off", key>>3)
			}
			text, b = string(b[:value]), b[value:]
		default:
			return fmt.Errorf("field %d has wire type %d", key>>3, key&7)
		}
		switch key >> 3 {
		case 1:
			m.ID = text
		case 2:
			m.IP = uint32(value)
		case 3:
			m.Port = int(uint16(value))
		case 4:
			m.PID = text
		case 5:
			m.Hostname = text
		}
	}
	return nil
}
