package forge.hdfs;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.BlockLocation;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.security.UserGroupInformation;

/** Requests to a NameNode over WebHDFS, as far as those of Hadoop 3 are not understood by 1.2.1. */
final class NameNode {
  private static final int TIMEOUT = 60_000; // milliseconds, as Hadoop's own
  private static final int MAX_ERROR = 64 << 10; // bytes of an error's text that are read
  private static final int MAX_LOCATIONS = 256 << 20; // bytes; a block has about 700

  private final String host;
  private final int port;
  private final String user;

  NameNode(String host, int port, UserGroupInformation user) {
    this.host = host;
    this.port = port;
    String query = "";
    if (user.getRealUser() != null) {
      query = "&doas=" + encode(user.getShortUserName());
      user = user.getRealUser();
    }
    this.user = "user.name=" + encode(user.getShortUserName()) + query;
  }

  /**
   * Asks for bytes of a file; the node that has them is where the NameNode sends us. The length is that of the
   * answer exactly, or it is an error.
   */
  HttpURLConnection range(String path, long offset, long length) throws IOException {
    URL url = url(path, "OPEN", "&offset=" + offset + "&length=" + length);
    HttpURLConnection asked = get(url);
    String to = asked.getHeaderField("Location");
    if (asked.getResponseCode() != 307 || to == null) {
      throw error(asked, url);
    }
    asked.disconnect();
    url = new URL(to);
    if (!url.getProtocol().equals("http")) {
      throw new IOException(host + " sends us to " + to + ", which is not http");
    }
    HttpURLConnection data = get(url);
    int code = data.getResponseCode();
    if (code != 200 && code != 206) {
      throw error(data, url);
    }
    if (data.getContentLengthLong() != length) {
      data.disconnect();
      throw new IOException(url + " gives " + data.getContentLengthLong() + " bytes; " + length + " were asked for");
    }
    return data;
  }

  /** Returns the blocks of a part of a file, in their order, and who has them. */
  BlockLocation[] locations(String path, long offset, long length) throws IOException {
    URL url = url(path, "GET_BLOCK_LOCATIONS", "&offset=" + offset + "&length=" + length);
    HttpURLConnection c = get(url);
    if (c.getResponseCode() != 200) {
      throw error(c, url);
    }
    JsonNode blocks;
    try (InputStream in = c.getInputStream()) {
      byte[] text = in.readNBytes(MAX_LOCATIONS + 1);
      if (text.length > MAX_LOCATIONS) {
        throw new IOException(url + ": more than " + MAX_LOCATIONS + " bytes");
      }
      blocks = new ObjectMapper().readTree(text).path("LocatedBlocks").path("locatedBlocks");
    }
    if (!blocks.isArray()) {
      throw new IOException(url + ": the answer has no blocks");
    }
    List<BlockLocation> out = new ArrayList<>();
    for (JsonNode b : blocks) {
      out.add(location(b, url));
    }
    return out.toArray(new BlockLocation[0]);
  }

  private static BlockLocation location(JsonNode b, URL url) throws IOException {
    JsonNode start = b.path("startOffset");
    JsonNode length = b.path("block").path("numBytes");
    if (!start.isIntegralNumber() || !length.isIntegralNumber()) {
      throw new IOException(url + ": a block has no place or no length");
    }
    List<String> names = new ArrayList<>();
    List<String> hosts = new ArrayList<>();
    for (JsonNode l : b.path("locations")) {
      names.add(l.path("name").asText());
      hosts.add(l.path("hostName").asText());
    }
    return new BlockLocation(names.toArray(new String[0]), hosts.toArray(new String[0]), start.asLong(), length.asLong(),
        b.path("isCorrupt").asBoolean());
  }

  private URL url(String path, String operation, String more) throws IOException {
    try {
      // It quotes what may not stand in a path, the percent sign too.
      URI file = new URI("http", null, host, port, "/webhdfs/v1" + path, null, null);
      return new URL(file.toASCIIString() + "?op=" + operation + "&" + user + more);
    } catch (URISyntaxException e) {
      throw new IOException(path + ": " + e.getMessage(), e);
    }
  }

  private static HttpURLConnection get(URL url) throws IOException {
    HttpURLConnection c = (HttpURLConnection) url.openConnection();
    c.setInstanceFollowRedirects(false);
    c.setConnectTimeout(TIMEOUT);
    c.setReadTimeout(TIMEOUT);
    return c;
  }

  /** Says what the server says, in the kind of exception that callers tell apart. */
  private static IOException error(HttpURLConnection c, URL url) throws IOException {
    int code = c.getResponseCode();
    String message = url + ": " + code + " " + said(c);
    c.disconnect();
    switch (code) {
      case 404:
        return new FileNotFoundException(message);
      case 401:
      case 403:
        return new AccessControlException(message);
      default:
        return new IOException(message);
    }
  }

  /** Reads the exception that an answer tells of; a DataNode has it in the line of the status, above a page. */
  private static String said(HttpURLConnection c) throws IOException {
    try (InputStream in = c.getErrorStream()) {
      if (in != null && String.valueOf(c.getContentType()).startsWith("application/json")) {
        JsonNode remote = new ObjectMapper().readTree(in.readNBytes(MAX_ERROR)).path("RemoteException");
        return remote.path("exception").asText() + ": " + remote.path("message").asText();
      }
    } catch (JsonProcessingException e) {
      return c.getResponseMessage() + ", with an answer that is no JSON";
    }
    return c.getResponseMessage();
  }

  private static String encode(String s) {
    return URLEncoder.encode(s, StandardCharsets.UTF_8);
  }
}
