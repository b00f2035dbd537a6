package forge.hdfs;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import org.apache.hadoop.fs.FSExceptionMessages;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;

/**
 * A file in HDFS as a stream that can go to any place. It asks for the rest of a block at a time, and holds none of it.
 * The file's length is that of when it was opened: fewer bytes than that are an error, not an end.
 */
final class RangeInputStream extends FSInputStream {
  private final NameNode nameNode;
  private final String path;
  private final long size; // bytes
  private final long block; // bytes
  private final FileSystem.Statistics statistics;

  private long position;
  private volatile boolean closed;
  private HttpURLConnection connection; // null: none is open
  private InputStream in; // of the connection, at position
  private long left; // bytes that are to come from it

  RangeInputStream(NameNode nameNode, String path, FileStatus status, FileSystem.Statistics statistics) {
    this.nameNode = nameNode;
    this.path = path;
    this.size = status.getLen();
    this.block = Math.max(status.getBlockSize(), 1);
    this.statistics = statistics;
  }

  @Override
  public synchronized int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public synchronized int read(byte[] to, int offset, int length) throws IOException {
    checkOpen();
    if (length == 0) {
      return 0;
    }
    if (position >= size) {
      return -1;
    }
    if (in == null) {
      connect();
    }
    int n = in.read(to, offset, (int) Math.min(length, left));
    if (n < 0) {
      String message = path + " ends at " + position + ", " + left + " bytes too early: " + connection.getURL();
      disconnect();
      throw new EOFException(message);
    }
    position += n;
    left -= n;
    statistics.incrementBytesRead(n);
    if (left == 0) {
      in.close(); // its connection is used again
      in = null;
      connection = null;
    }
    return n;
  }

  /** Asks for the rest of the block at the position. */
  private void connect() throws IOException {
    long end = Math.min(size, (position / block + 1) * block);
    connection = nameNode.range(path, position, end - position);
    in = connection.getInputStream();
    left = end - position;
  }

  /** Reads elsewhere with a request of its own, and leaves the stream where it is. */
  @Override
  public int read(long at, byte[] to, int offset, int length) throws IOException {
    checkOpen();
    validatePositionedReadArgs(at, to, offset, length);
    if (length == 0) {
      return 0;
    }
    if (at >= size) {
      return -1;
    }
    int want = (int) Math.min(length, size - at);
    HttpURLConnection c = nameNode.range(path, at, want);
    try (InputStream body = c.getInputStream()) {
      int n = body.readNBytes(to, offset, want);
      if (n != want) {
        throw new EOFException(path + " ends at " + (at + n) + ", " + (want - n) + " bytes too early: " + c.getURL());
      }
    }
    statistics.incrementBytesRead(want);
    return want;
  }

  @Override
  public synchronized void seek(long to) throws IOException {
    checkOpen();
    if (to < 0) {
      throw new EOFException(FSExceptionMessages.NEGATIVE_SEEK);
    }
    if (to > size) {
      throw new EOFException(FSExceptionMessages.CANNOT_SEEK_PAST_EOF);
    }
    if (to != position) {
      disconnect();
      position = to;
    }
  }

  @Override
  public synchronized long skip(long n) throws IOException {
    checkOpen();
    long step = Math.max(0, Math.min(n, size - position));
    seek(position + step);
    return step;
  }

  @Override
  public synchronized int available() throws IOException {
    checkOpen();
    return (int) Math.min(Integer.MAX_VALUE, size - position);
  }

  @Override
  public synchronized long getPos() {
    return position;
  }

  /** The NameNode chooses. */
  @Override
  public boolean seekToNewSource(long target) {
    return false;
  }

  @Override
  public synchronized void close() {
    closed = true;
    disconnect();
  }

  /** Ends the connection without reading what is left. */
  private void disconnect() {
    if (connection != null) {
      connection.disconnect();
    }
    connection = null;
    in = null;
  }

  private void checkOpen() throws IOException {
    if (closed) {
      throw new IOException(FSExceptionMessages.STREAM_IS_CLOSED + " " + path);
    }
  }
}
