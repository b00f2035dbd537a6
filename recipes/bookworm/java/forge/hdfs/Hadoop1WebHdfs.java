package forge.hdfs;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.BlockLocation;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.web.WebHdfsFileSystem;
import org.apache.hadoop.security.UserGroupInformation;

/**
 * WebHDFS of a NameNode of Hadoop 1.2.1, for a client of Hadoop 3. Writing, and what concerns names, is one protocol
 * in both. What is read differs:
 *
 * <ul>
 *   <li>Block locations: 1.2.1 has one operation for them, whose answer lacks fields that Hadoop 3 wants.
 *   <li>OPEN with an offset alone: 1.2.1 announces the length of the whole file, so the client fails at its end.
 *       With offset and length the answer is right.
 *   <li>A folder's list in parts: 1.2.1 gives the whole.
 * </ul>
 *
 * It is set as {@code fs.webhdfs.impl}. Kerberos is refused: the requests here have the user's name alone.
 */
public class Hadoop1WebHdfs extends WebHdfsFileSystem {
  private NameNode nameNode;

  @Override
  public synchronized void initialize(URI uri, Configuration conf) throws IOException {
    if (UserGroupInformation.isSecurityEnabled()) {
      throw new IOException(getClass().getName() + " knows no Kerberos: unset fs.webhdfs.impl, or hadoop.security.authentication");
    }
    super.initialize(uri, conf);
    URI own = getUri();
    int port = own.getPort() < 0 ? getDefaultPort() : own.getPort();
    nameNode = new NameNode(own.getHost(), port, UserGroupInformation.getCurrentUser());
  }

  /** The file is read with one request for each block, so that the NameNode sends each to a node that has it. */
  @Override
  public FSDataInputStream open(Path file, int bufferSize) throws IOException {
    statistics.incrementReadOps(1);
    FileStatus status = getFileStatus(file);
    if (status.isDirectory()) {
      throw new FileNotFoundException(file + " is a directory");
    }
    return new FSDataInputStream(new RangeInputStream(nameNode, pathOf(file), status, statistics));
  }

  @Override
  public BlockLocation[] getFileBlockLocations(FileStatus file, long offset, long length) throws IOException {
    return file == null ? null : getFileBlockLocations(file.getPath(), offset, length);
  }

  @Override
  public BlockLocation[] getFileBlockLocations(Path file, long offset, long length) throws IOException {
    statistics.incrementReadOps(1);
    return nameNode.locations(pathOf(file), offset, length);
  }

  @Override
  public DirectoryEntries listStatusBatch(Path folder, byte[] token) throws IOException {
    return new DirectoryEntries(listStatus(folder), null, false);
  }

  private String pathOf(Path file) {
    return makeQualified(file).toUri().getPath();
  }
}
